"""Calls that an access policy should refuse, made as an app makes them that nobody asked.

An app reaches the actors behind the workflows of another one through its own sidecar, with
``InvokeActor``; it needs no workflow and no worker for it (docs/facts-access.md). The sidecar of
the target asks its policies before it looks at anything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import grpc
from dapr.ext.workflow._durabletask.internal import protos as pb
from dapr.proto import api_service_v1, api_v1

from labkit.apps.app import App
from labkit.apps.sidecar import TOKEN_HEADER
from labkit.errors import ObservationError
from labkit.exercises.cases import AUDIT, NOTIFICATIONS, ORCHESTRATOR, Case
from labkit.exercises.drawing import Draw
from labkit.exercises.observations import Check
from labkit.labs.lab import Lab
from labkit.waiting import patience

REFUSED = "access denied by workflow access policy"
UNANSWERED = (
    "did not find address for actor",
    "remote actor moved",
    "code = Unavailable",
    "code = DeadlineExceeded",
    "code = Canceled",
)
"""What a sidecar says of a call that has not come to the policies of its target."""
LOST = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)
SECONDS = 10.0
AUDITING = "compliance_audit_workflow"
MAILS = ("send_email", "send_push")
AUDITS = ("log_audit_event", "check_compliance_rules", "raise_compliance_alert")
EVENTS: dict[str, dict[str, Any]] = {
    "terminate": {"executionTerminated": pb.ExecutionTerminatedEvent()},
    "raise an event for": {"eventRaised": pb.EventRaisedEvent(name="unwanted")},
    "pause": {"executionSuspended": pb.ExecutionSuspendedEvent()},
    "resume": {"executionResumed": pb.ExecutionResumedEvent()},
}
METHODS = {
    "get the state of": "WaitForRuntimeStatus",
    "rerun": "RerunWorkflowInstance",
    "purge": "PurgeWorkflowState",
}
"""Operations on an instance, as events that it gets and as methods of its actor.

With ``schedule`` these are all operations that a rule can name. The state of an instance is asked
for by a stream; as a call the method is unknown, but the policies are asked before.
"""


class NotAnswered(ObservationError):
    """A call did not come to the policies of its target, so nobody knows what they say of it."""

    code = "not-answered"


@dataclass(frozen=True)
class Call:
    """What one app tries with another.

    Attributes:
        what: ``activity`` or ``schedule`` with the name of an activity or a workflow, an operation
            of ``EVENTS`` or ``METHODS`` with the ID of an instance.
        title: how a row calls it; a drawn name would differ each time.
    """

    source: str
    target: str
    what: str
    name: str
    title: str = ""

    def __str__(self) -> str:
        return self.title or f"{self.source}: {self.what} {self.name} of {self.target}"


def join(lab: Lab, app_id: str) -> None:
    """Add a sidecar under this app ID to a second lab, started as that of the orchestrator is.

    The learner's run file stays as it is.
    """
    spec = next(a for a in lab.run_file.apps if a.app_id == ORCHESTRATOR)
    own = replace(spec, app_id=app_id, command=())
    lab.run_file = replace(lab.run_file, apps=(*lab.run_file.apps, own))
    lab.up(app_id, within=3 * SECONDS * patience(), announce=False)


def unwanted(case: Case, stranger: str, draw: Draw) -> Iterator[Call]:
    """Yield the calls that no order needs, of an audited order that has ended.

    Args:
        stranger: the ID of an app that no rule can know.
    """
    new = "a new app"
    for name in MAILS:
        title = f"{new}: activity {name} of {NOTIFICATIONS}"
        yield Call(stranger, NOTIFICATIONS, "activity", name, title)
        yield Call(AUDIT, NOTIFICATIONS, "activity", name)
    yield Call(stranger, AUDIT, "schedule", AUDITING, f"{new}: schedule {AUDITING} of {AUDIT}")
    yield Call(NOTIFICATIONS, AUDIT, "schedule", AUDITING)
    word = draw.word()
    for other in (near for name in MAILS for near in nearby(name, word)):
        title = f"{ORCHESTRATOR}: another activity of {NOTIFICATIONS}"
        yield Call(ORCHESTRATOR, NOTIFICATIONS, "activity", other, title)
    for name in AUDITS:
        yield Call(ORCHESTRATOR, AUDIT, "activity", name)
    title = f"{ORCHESTRATOR}: schedule another workflow of"
    for other in nearby(AUDITING, word):
        yield Call(ORCHESTRATOR, AUDIT, "schedule", other, f"{title} {AUDIT}")
    yield Call(ORCHESTRATOR, NOTIFICATIONS, "schedule", word, f"{title} {NOTIFICATIONS}")
    (child,) = [run for run in case.history.walk() if run.app_id == AUDIT]
    for source in (ORCHESTRATOR, NOTIFICATIONS):
        yield from operations(source, AUDIT, child.instance_id)
    for source in (ORCHESTRATOR, AUDIT):
        yield from operations(source, NOTIFICATIONS, word)


def nearby(name: str, word: str) -> Iterator[str]:
    """Yield names that differ from a name in one place: a pattern for it fits one of them, too."""
    yield f"{name}_{word}"
    yield f"{word}_{name}"
    for at, letter in enumerate(name):
        other = next(one for one in f"{word}xz" if one != letter)
        yield f"{name[:at]}{other}{name[at + 1 :]}"


def operations(source: str, target: str, instance_id: str) -> Iterator[Call]:
    """Yield each operation on an instance."""
    for what in (*EVENTS, *METHODS):
        title = f"{source}: {what} an instance of {target}"
        yield Call(source, target, what, instance_id, title)


def closed(lab: Lab, calls: Iterable[Call]) -> Check:
    """None of these calls is let through."""
    asked = list(calls)

    def observe() -> str:
        through: dict[str, None] = {}  # by titles, of which several calls may have the same
        with ExitStack() as channels:
            stubs = {one: _stub(lab.app(one), channels) for one in {c.source for c in asked}}
            for call in asked:
                app = lab.app(call.source)
                try:
                    if str(call) not in through and not _is_refused(app, stubs[call.source], call):
                        through[str(call)] = None
                except NotAnswered:
                    if not through:
                        raise
                    break  # a call that got through can end the called app
        return "; ".join(through) or "none"

    return Check(
        "closed",
        f"of {len(asked)} calls that nobody wants, from the apps and from a new one, these get"
        " through",
        "none",
        observe,
        "the policies that the called apps have in sight",
    )


def _stub(app: App, channels: ExitStack) -> Any:
    channel = channels.enter_context(grpc.insecure_channel(app.grpc_address))
    return api_service_v1.DaprStub(channel)


def _is_refused(app: App, stub: Any, call: Call) -> bool:
    token = [(TOKEN_HEADER, app.shared.token)]
    try:
        stub.InvokeActor(_request(call), metadata=token, timeout=SECONDS * patience())
    except grpc.RpcError as problem:
        said = str(problem.details())
        if REFUSED in said:
            return True
        if problem.code() in LOST or any(words in said for words in UNANSWERED):
            raise NotAnswered(
                "a call has not come to its target",
                asked=str(call),
                found=said,
                look_at=f"the logs of the sidecars of {call.source} and {call.target}",
                fix="check again; on a busy machine, when less runs",
            ) from problem
    return False


def _request(call: Call) -> Any:
    kind, instance, method, data = "workflow", call.name, "AddWorkflowEvent", b""
    if call.what == "activity":
        kind, instance, method = "activity", "unwanted::0::1", "Execute"
        scheduled = pb.TaskScheduledEvent(name=call.name)
        data = pb.HistoryEvent(taskScheduled=scheduled).SerializeToString()
    elif call.what == "schedule":
        instance, method = "unwanted", "CreateWorkflowInstance"
        new = pb.WorkflowInstance(instanceId=instance)
        started = pb.ExecutionStartedEvent(name=call.name, workflowInstance=new)
        data = _in_field_1(pb.HistoryEvent(executionStarted=started))
    elif call.what in METHODS:
        method = METHODS[call.what]
    else:
        data = pb.HistoryEvent(**EVENTS[call.what]).SerializeToString()
    return api_v1.InvokeActorRequest(
        actor_type=f"dapr.internal.default.{call.target}.{kind}",
        actor_id=instance,
        method=method,
        data=data,
    )


def _in_field_1(event: Any) -> bytes:
    """Return a short message that holds an event in its first field, as protobuf writes it."""
    data = event.SerializeToString()
    return bytes([1 << 3 | 2, len(data)]) + bytes(data)
