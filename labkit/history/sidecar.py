"""Asks a sidecar for histories. The SDK 1.18.3 has no public call for this; its stubs do."""

from __future__ import annotations

from typing import Any

import grpc
from dapr.ext.workflow._durabletask.internal import orchestrator_service_pb2_grpc as stubs
from dapr.ext.workflow._durabletask.internal import protos as pb

from labkit.errors import ObservationError
from labkit.history.events import HistoryEvent
from labkit.history.wire import records
from labkit.waiting import patience

DEADLINE_SECONDS = 2.0
TOKEN_HEADER = "dapr-api-token"
_NOT_YET = (
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
)


class SidecarUnreachable(ObservationError):
    """A sidecar did not answer a question about histories."""

    code = "sidecar-unreachable"


class UnknownInstance(ObservationError):
    """A sidecar has no history for an instance ID."""

    code = "unknown-instance"


class TokenRefused(ObservationError):
    """A sidecar asked for another token."""

    code = "token-refused"


def events_of(address: str, token: str, app_id: str, instance_id: str) -> list[HistoryEvent]:
    """Return the history that ``app_id`` stored for an instance, oldest first.

    The steps of a child workflow are stored by the app that ran the child, not by its parent.

    Args:
        address: ``host:port`` of the sidecar's gRPC API.
        token: what its API asks for.

    Raises:
        SidecarUnreachable: no answer within 2 s, longer on a busy machine; carries the
            address that was tried.
        UnknownInstance: the sidecar answered, and has no such instance ID.
        TokenRefused: the token is wrong.
    """
    request = pb.GetInstanceHistoryRequest(instanceId=instance_id)
    answer = _ask(address, token, "GetInstanceHistory", request, f"{app_id}, {instance_id}")
    if not answer.events:
        raise _unknown(app_id, instance_id, "nothing is written for it yet, or it does not exist")
    return records(answer.events, app_id, instance_id)


def instance_ids_of(address: str, token: str) -> list[str]:
    """Return the instance IDs that an app's sidecar knows.

    Raises:
        SidecarUnreachable, TokenRefused: as in :func:`events_of`.
    """
    found: list[str] = []
    more: str | None = ""
    while more is not None:
        request = pb.ListInstanceIDsRequest(pageSize=500)
        if more:
            request.continuationToken = more
        answer = _ask(address, token, "ListInstanceIDs", request, "the instance IDs")
        found += answer.instanceIds
        more = answer.continuationToken or None
    return found


def finds_workflows(address: str, token: str) -> bool:
    """Tell whether a sidecar can find the actors behind its own workflows.

    After a restart a sidecar is healthy, and placement lists it, some time before calls to it
    arrive (measured on 1.18.1); until then it answers FAILED_PRECONDITION.
    """
    with grpc.insecure_channel(address) as channel:
        stub = stubs.TaskHubSidecarServiceStub(channel)
        request = pb.GetInstanceRequest(instanceId="lab-readiness")
        try:
            within, token_of = DEADLINE_SECONDS * patience(), ((TOKEN_HEADER, token),)
            stub.GetInstance(request, timeout=within, metadata=token_of)
        except grpc.RpcError as problem:
            return bool(problem.code() not in _NOT_YET)
        return True


def _ask(address: str, token: str, call: str, request: Any, about: str) -> Any:
    with grpc.insecure_channel(address) as channel:
        stub = stubs.TaskHubSidecarServiceStub(channel)
        try:
            within = DEADLINE_SECONDS * patience()
            return getattr(stub, call)(request, timeout=within, metadata=((TOKEN_HEADER, token),))
        except grpc.RpcError as problem:
            raise _told(problem, address, about) from problem


def _told(problem: Any, address: str, about: str) -> ObservationError:
    code, details = problem.code(), problem.details() or ""
    if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
        return TokenRefused(
            "the sidecar refuses our token",
            asked=f"history of {about} from {address}",
            found=f"{code.name}: {details}",
            look_at="DAPR_API_TOKEN in the environment of the sidecar",
            fix="ask through the lab that started the sidecar: lab.run(instance_id).history",
        )
    if "no such instance" in details or code is grpc.StatusCode.NOT_FOUND:
        app_id, _, instance_id = about.partition(", ")
        return _unknown(app_id, instance_id, details)
    return SidecarUnreachable(
        "a sidecar did not tell the history",
        asked=f"history of {about} from {address}",
        found=f"{code.name}: {details}",
        look_at="lab.status(), and the log of that sidecar",
        fix="lab.up() starts again what has ended",
    )


def _unknown(app_id: str, instance_id: str, found: str) -> UnknownInstance:
    return UnknownInstance(
        f"{app_id} has no instance {instance_id}",
        asked=f"the history of {instance_id} from the sidecar of {app_id}",
        found=found,
        look_at="the app that hosts it: a child's history is kept by the child's app",
        fix="correct the instance ID, or ask the app that ran it",
    )
