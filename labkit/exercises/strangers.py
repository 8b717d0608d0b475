"""Calls that an access policy should refuse, made as an app makes them that nobody asked.

An app reaches the actors behind the workflows of another one through its own sidecar, with
``InvokeActor``; it needs no workflow and no worker for it (docs/facts-access.md). The sidecar of
the target asks its policies before it looks at anything else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import grpc
from dapr.ext.workflow._durabletask.internal import protos as pb
from dapr.proto import api_service_v1, api_v1

from labkit.apps.app import App
from labkit.apps.sidecar import TOKEN_HEADER
from labkit.exercises.cases import ORCHESTRATOR
from labkit.exercises.observations import Check
from labkit.labs.lab import Lab
from labkit.waiting import patience

REFUSED = "access denied by workflow access policy"
SECONDS = 10.0


@dataclass(frozen=True)
class Call:
    """What one app tries with another.

    Attributes:
        what: ``activity`` or ``schedule`` with the name of an activity or a workflow, ``terminate``
            with the ID of an instance.
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


def closed(lab: Lab, calls: Iterable[Call]) -> Check:
    """None of these calls is let through."""
    asked = list(calls)

    def observe() -> str:
        through = [str(call) for call in asked if not _is_refused(lab, call)]
        return "; ".join(through) or "none"

    return Check(
        "closed",
        f"of {len(asked)} calls that nobody wants, from the apps and from a new one, these get"
        " through",
        "none",
        observe,
        "the policies that the called apps have in sight",
    )


def _is_refused(lab: Lab, call: Call) -> bool:
    app = lab.app(call.source)
    with grpc.insecure_channel(app.grpc_address) as channel:
        stub = api_service_v1.DaprStub(channel)
        try:
            stub.InvokeActor(_request(call), metadata=_token(app), timeout=SECONDS * patience())
        except grpc.RpcError as problem:
            return REFUSED in str(problem.details())
    return False


def _token(app: App) -> list[tuple[str, str]]:
    return [(TOKEN_HEADER, app.shared.token)]


def _request(call: Call) -> Any:
    kind, instance, method, data = "workflow", call.name, "AddWorkflowEvent", b""
    if call.what == "activity":
        kind, instance, method = "activity", "unwanted::0::1", "Execute"
        data = pb.HistoryEvent(taskScheduled=pb.TaskScheduledEvent(name=call.name))
    elif call.what == "schedule":
        instance, method = "unwanted", "CreateWorkflowInstance"
        data = _in_field_1(
            pb.HistoryEvent(executionStarted=pb.ExecutionStartedEvent(name=call.name))
        )
    else:
        data = pb.HistoryEvent(executionTerminated=pb.ExecutionTerminatedEvent())
    return api_v1.InvokeActorRequest(
        actor_type=f"dapr.internal.default.{call.target}.{kind}",
        actor_id=instance,
        method=method,
        data=data if isinstance(data, bytes) else data.SerializeToString(),
    )


def _in_field_1(event: Any) -> bytes:
    """Return a short message that holds an event in its first field, as protobuf writes it."""
    data = event.SerializeToString()
    return bytes([1 << 3 | 2, len(data)]) + bytes(data)
