"""What the runtime makes of a turn: the events that it writes, and what it hands on.

The rules of durabletask-go 0.12.1 (``backend/runtimestate/applier.go``) and dapr/dapr v1.18.1
(``pkg/actors/targets/workflow/orchestrator``: run.go, versioning.go, payloadsize.go), for the
run in process. It decides nothing of when or where something runs.

Touches private names of the SDK, as :mod:`labkit.turns` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dapr.ext.workflow._durabletask.internal import helpers
from dapr.ext.workflow._durabletask.internal import protos as pb

from labkit.history import CannotBeShown
from labkit.turns import Taken, compacted, failed_action, passed_on, patch_mismatch, version_in

MOST_BYTES = 4 * 1024 * 1024
"""The largest message between sidecar and worker: the default of daprd's ``--max-body-size``."""
_STALLS_AT = MOST_BYTES * 95 // 100
_STALL_FIX = "increase daprd --max-body-size and restart to resume"


@dataclass
class Call:
    """A step that is handed on: its event in the caller's history, and the history passed on."""

    event: Any
    propagated: Any = None

    @property
    def target(self) -> str:
        """The called app; empty for the caller's own."""
        return str(self.event.router.targetAppID)


@dataclass
class Applied:
    """What a turn comes to.

    Attributes:
        written: the events to add to the history: what arrived, then what was decided.
        end: the protocol's completeWorkflow, when the workflow has ended or continues as new.
        begins_again: the events of the first turn of the next generation; empty when it does not
            continue as new.
        passed_over: the history that the next generation is handed.
        stall: reason and description when the runtime holds the workflow; nothing else counts.
    """

    written: list[Any]
    activities: list[Call] = field(default_factory=list)
    children: list[Call] = field(default_factory=list)
    timers: list[Any] = field(default_factory=list)
    end: Any = None
    begins_again: list[Any] = field(default_factory=list)
    passed_over: Any = None
    stall: tuple[str, str] | None = None


@dataclass(frozen=True)
class Before:
    """An instance before a turn.

    Attributes:
        received: the history that it was handed, or None.
    """

    app_id: str
    instance_id: str
    events: Sequence[Any]
    received: Any = None


def applied(before: Before, arrived: list[Any], taken: Taken) -> Applied:
    """Return what a turn comes to.

    Args:
        arrived: the events of the turn; the first one is its ``workflowStarted``.

    Raises:
        CannotBeShown: it decided something that only the runtime can do.
    """
    result = Applied(written=list(arrived))
    if version := taken.written_version:
        arrived[0].workflowStarted.version.CopyFrom(version)
    for action in _deliverable(before.instance_id, taken):
        action.router.sourceAppID = before.app_id
        _apply(before, result, action)
        if result.begins_again or result.stall:
            return result
    if mismatch := patch_mismatch(before.events, taken.patches):
        result.stall = ("PATCH_MISMATCH", mismatch)
    _compact(before, arrived[0])
    result.written = _matched([*before.events], result.written)
    return result


def too_large(before: Before, inbox: Iterable[Any], received: Any) -> tuple[str, str] | None:
    """Return why the runtime does not even send the history to the worker, or None."""
    size = received.ByteSize() if received is not None else 0
    size += sum(e.ByteSize() for e in (*before.events, *inbox))
    if size <= _STALLS_AT:
        return None
    words = f"Workflow payload size {size} bytes exceeds 95% of max gRPC body size {MOST_BYTES}"
    return "PAYLOAD_SIZE_EXCEEDED", f"{words} bytes; {_STALL_FIX}"


def call_too_large(before: Before, call: Call) -> tuple[str, str] | None:
    """Return why the runtime does not send an activity's input to its worker, or None."""
    size = call.event.ByteSize() + (call.propagated.ByteSize() if call.propagated else 0)
    if size <= _STALLS_AT:
        return None
    name = f"{call.event.taskScheduled.name}::{call.event.eventId}"
    words = f"activity '{name}' payload {size} bytes exceeds 95% of max gRPC body size {MOST_BYTES}"
    end = "activity payload exceeds max gRPC body size"
    return "PAYLOAD_SIZE_EXCEEDED", f"{words} bytes; {_STALL_FIX}: {end}"


def refused_size(message: Any) -> str | None:
    """Return what gRPC says to a message that is too large for the sidecar, or None."""
    size = message.ByteSize()
    if size <= MOST_BYTES:
        return None
    return f"grpc: received message larger than max ({size} vs. {MOST_BYTES})"


# --- inside ----------------------------------------------------------------------------------


def _deliverable(instance_id: str, taken: Taken) -> Sequence[Any]:
    """Return the actions, or a failure when they are too large to reach the sidecar."""
    answer = pb.WorkflowResponse(instanceId=instance_id, actions=taken.actions)
    said = refused_size(answer)
    if said is None:
        return taken.actions
    problem = RuntimeError(f"Orchestrator response exceeds gRPC max message size: {said}")
    return [failed_action(helpers.new_failure_details(problem))]


def _apply(before: Before, result: Applied, action: Any) -> None:
    kind = action.WhichOneof("workflowActionType")
    if kind == "scheduleTask":
        _schedule(before, result, action)
    elif kind == "createChildWorkflow":
        _create_child(before, result, action)
    elif kind == "createTimer":
        _create_timer(result, action)
    elif kind == "completeWorkflow":
        _complete(before, result, action)
    elif kind == "workflowVersionNotAvailable":
        name = version_in(before.events)
        result.stall = ("VERSION_NOT_AVAILABLE", f"Version not available: {name}")
    else:
        raise _cannot(before.instance_id, kind)


def _schedule(before: Before, result: Applied, action: Any) -> None:
    asked = action.scheduleTask
    event = helpers.new_task_scheduled_event(action.id, asked.name)
    _copy(asked, event.taskScheduled, "input", "version")
    event.taskScheduled.taskExecutionId = asked.taskExecutionId
    _hand_on(before, result, action, event, event.taskScheduled, asked, result.activities)


def _create_child(before: Before, result: Applied, action: Any) -> None:
    asked = action.createChildWorkflow
    event = helpers.new_child_workflow_created_event(action.id, asked.name, asked.instanceId)
    body = event.childWorkflowInstanceCreated
    _copy(asked, body, "input", "version")
    _hand_on(before, result, action, event, body, asked, result.children)


def _hand_on(
    before: Before,
    result: Applied,
    action: Any,
    event: Any,
    body: Any,
    asked: Any,
    calls: list[Call],
) -> None:
    scope = asked.historyPropagationScope
    if scope:
        body.historyPropagationScope = scope
    event.router.CopyFrom(action.router)
    result.written.append(event)
    events = [*before.events, *result.written]
    own = before.app_id, before.instance_id
    calls.append(Call(event, passed_on(scope, before.received, *own, events)))


def _create_timer(result: Applied, action: Any) -> None:
    asked = action.createTimer
    body = pb.TimerCreatedEvent(fireAt=asked.fireAt, name=asked.name)
    if origin := asked.WhichOneof("origin"):
        getattr(body, origin).CopyFrom(getattr(asked, origin))
    event = pb.HistoryEvent(eventId=action.id, timerCreated=body, router=action.router)
    result.written.append(event)
    fired = pb.TimerFiredEvent(fireAt=asked.fireAt, timerId=action.id)
    result.timers.append(pb.HistoryEvent(eventId=-1, timerFired=fired))


def _complete(before: Before, result: Applied, action: Any) -> None:
    result.end = end = action.completeWorkflow
    if end.workflowStatus == pb.ORCHESTRATION_STATUS_CONTINUED_AS_NEW:
        _continue(before, result, action)
        return
    body = pb.ExecutionCompletedEvent(workflowStatus=end.workflowStatus)
    _copy(end, body, "result", "failureDetails")
    event = pb.HistoryEvent(eventId=action.id, executionCompleted=body, router=action.router)
    result.written.append(event)


def _continue(before: Before, result: Applied, action: Any) -> None:
    """The start event again, with other input; whatever else the turn decided is dropped."""
    events = [*before.events, *result.written]
    started = next(e.executionStarted for e in events if e.HasField("executionStarted"))
    body = pb.ExecutionStartedEvent(name=started.name)
    body.workflowInstance.instanceId = before.instance_id
    _copy(started, body, "parentInstance")
    if action.completeWorkflow.HasField("result"):
        body.input.CopyFrom(action.completeWorkflow.result)
    start = pb.HistoryEvent(eventId=-1, executionStarted=body, router=action.router)
    clock = helpers.new_workflow_started_event()
    clock.router.CopyFrom(action.router)
    result.begins_again = [clock, start, *action.completeWorkflow.carryoverEvents]
    scope = before.received.scope if before.received is not None else 0
    own = before.app_id, before.instance_id
    result.passed_over = passed_on(scope, before.received, *own, events)


def _compact(before: Before, clock: Any) -> None:
    body = clock.workflowStarted
    version = compacted(before.events, body.version if body.HasField("version") else None)
    body.ClearField("version")
    if version is not None:
        body.version.CopyFrom(version)


def _matched(old: Sequence[Any], written: list[Any]) -> list[Any]:
    """Return the events without results of steps that nobody asked for (stripUnmatchedResolutions).

    They come from calls of an earlier generation.
    """
    calls = {(k, e.eventId) for e in (*old, *written) for k in _BEGUN_BY if e.HasField(k)}
    return [e for e in written if _begun(e) is None or _begun(e) in calls]


_BEGUN_BY = {
    "taskScheduled": ("taskCompleted", "taskFailed"),
    "childWorkflowInstanceCreated": (
        "childWorkflowInstanceCompleted",
        "childWorkflowInstanceFailed",
    ),
}


def _begun(event: Any) -> tuple[str, int] | None:
    kind = event.WhichOneof("eventType")
    begun = next((b for b, ends in _BEGUN_BY.items() if kind in ends), None)
    return (begun, getattr(event, kind).taskScheduledId) if begun else None


def _copy(source: Any, target: Any, *fields: str) -> None:
    for name in fields:
        if source.HasField(name):
            getattr(target, name).CopyFrom(getattr(source, name))


def _cannot(instance_id: str, kind: str) -> CannotBeShown:
    return CannotBeShown(
        f"cannot be shown here: the action {kind}",
        asked=f"a turn of {instance_id} in process",
        found="an action that the SDK 1.18.3 cannot ask for",
        look_at="labkit/inprocess/applied.py",
        fix="run it in a Lab",
    )
