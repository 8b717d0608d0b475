"""The instances of a run in process, and the errors about them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dapr.ext.workflow._durabletask.internal import helpers
from dapr.ext.workflow._durabletask.internal import protos as pb

from labkit.errors import ObservationError
from labkit.history import Failure, UnknownInstance


class NoRest(ObservationError):
    """A workflow did not come to rest within the turns that it was given."""

    code = "no-rest"


class AppNotGiven(ObservationError):
    """An app ID that is not among the apps that were given."""

    code = "app-not-given"


class CallNotAccepted(ObservationError):
    """The runtime would refuse this call to an instance in its present state."""

    code = "call-not-accepted"


@dataclass(frozen=True)
class Parent:
    """Who called a child workflow: its instance, how often that had continued, and the step."""

    app_id: str
    instance_id: str
    number: int
    generation: int


@dataclass
class Instance:
    """One workflow instance.

    Attributes:
        status: RUNNING, SUSPENDED, STALLED, COMPLETED, FAILED or TERMINATED.
        output: the result, parsed from JSON.
        error: the message of a failure.
        failure: the failure with its class name and stack; None when there is none.
        custom_status: what the code has set, or None.
        turns: how often its workflow function was run from the start: once per replay.
        held: why the runtime would not go on with it, e.g. since it calls an app that is not
            there; None when nothing holds it.
        blocked_by: the instances whose end lets it go on, of those that hold it.
        since: its turn comes before those of a higher number.
    """

    app_id: str
    instance_id: str
    parent: Parent | None
    status: str = "RUNNING"
    output: Any = None
    error: str | None = None
    failure: Failure | None = None
    custom_status: str | None = None
    turns: int = 0
    held: str | None = None
    blocked_by: list[Instance] = field(default_factory=list, repr=False)
    since: int = 0
    generation: int = 0
    propagated: Any = field(default=None, repr=False)
    history: list[Any] = field(default_factory=list, repr=False)
    inbox: list[Any] = field(default_factory=list, repr=False)


def answer_of(instance: Instance, number: int, end: Any) -> Any:
    """Return the event by which a parent learns how its child ended, with all its failure says."""
    if instance.status == "COMPLETED":
        text = end.result.value if end.HasField("result") else None
        return helpers.new_child_workflow_completed_event(number, text)
    body = pb.ChildWorkflowInstanceFailedEvent(taskScheduledId=number)
    if end.HasField("failureDetails"):
        body.failureDetails.CopyFrom(end.failureDetails)
    return pb.HistoryEvent(eventId=-1, childWorkflowInstanceFailed=body)


def not_accepted(instance: Instance, asked: str, fix: str) -> CallNotAccepted:
    return CallNotAccepted(
        f"{instance.instance_id} on {instance.app_id} does not accept this while it is "
        f"{instance.status}",
        asked=asked,
        found=f"status {instance.status}" + (f"; {instance.held}" if instance.held else ""),
        look_at=f"history({instance.instance_id!r})",
        fix=fix,
    )


def no_rest(instance: Instance, turns: int, many: int, now: datetime, waits: str) -> NoRest:
    """Return the error for an instance that has taken its turns, or begins children for ever."""
    title = f"workflow {instance.instance_id} on {instance.app_id} "
    endless = instance.turns <= turns
    title += "begins child workflows without end" if endless else "has not come to rest"
    return NoRest(
        title if endless else f"{title} after {turns} turns",
        asked="run until nothing is left to do",
        found=f"{instance.turns} turns, continued as new {instance.generation} times; "
        f"{many} instances; the virtual time is {now:%Y-%m-%d %H:%M:%S}",
        look_at=f"history({instance.instance_id!r}), and {waits}",
        fix="run(within=timedelta(hours=1)) stops the clock there; run(turns=...) allows more",
    )


def no_app(app_id: str, workflow: str, there: Iterable[str]) -> AppNotGiven:
    """Return the error for an app that is not among those given."""
    return AppNotGiven(
        f"there is no app {app_id} in this process",
        asked=f"schedule {workflow} on {app_id}",
        found=f"the apps {', '.join(there) or 'none'}",
        look_at="the apps that InProcess was given",
        fix=f"InProcess({{{app_id!r}: RUNTIME, ...}}), or correct the app ID",
    )


def no_instance(instance_id: str, there: Iterable[tuple[str, str]]) -> UnknownInstance:
    """Return the error for an instance that nobody has scheduled."""
    return UnknownInstance(
        f"there is no instance {instance_id} in this process",
        asked=f"the instance {instance_id}",
        found=f"the instances {', '.join(i for _, i in there) or 'none'}",
        look_at="the instance_id of schedule()",
        fix="schedule it first, or correct the instance ID",
    )
