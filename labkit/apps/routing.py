"""Does a sidecar find the actors of an app? Asked of the sidecar itself, without any effect.

A sidecar that loses placement between UPDATE and UNLOCK of a round keeps the actor types of that
round blocked for ever, and says that it is ready. ``blockedTypes`` lives on with the sidecar; the
list of what must be unblocked, ``roundChangedTypes``, is a new one with each stream, whose
first round finds the same table and unblocks nothing (dapr/dapr v1.18.1, pkg/actors/internal/
placement/loops/disseminator: disseminator.go:102, order.go:101-106 and 149, inflight/
inflight.go:176; measured: every call to these types then hangs).

Health, metadata and ``GetInstance`` do not pass that lock. A call to an actor does: one to the
*retentioner* of an app, which takes no calls, is answered by "invoke not implemented" where it
lives and by "remote actor moved" elsewhere.

With mTLS the internal API talks to holders of a certificate only. Then the question goes through
the public API, with the token, to the target and back (measured on 1.18.1: 2 to 7 ms).
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import grpc

CALL = "/dapr.proto.internals.v1.ServiceInvocation/CallActor"
PUBLIC_CALL = "/dapr.proto.runtime.v1.Dapr/InvokeActor"
SPACE, KIND = "dapr.internal.", ".retentioner"
"""What an actor type is made of: ``SPACE namespace . app ID KIND``."""
ACTOR_ID, METHOD = "lab-readiness", "LabReadiness"
_VERSION = b"\x08\x01"  # InternalInvokeRequest.ver = V1


@dataclass(frozen=True)
class Route:
    """The way from a sidecar to the actors of an app.

    Attributes:
        source, target: app IDs.
        address: ``host:port`` of the internal gRPC API of the source; of its public one where
            there is a token.
        actor_type: of the target, as its sidecar names it.
        token: of the public API; "" asks the internal one, which takes none.
    """

    source: str
    target: str
    address: str
    actor_type: str
    token: str = ""


def closed(routes: Iterable[Route], within: float) -> list[Route]:
    """Return the routes on which a question is not answered, all asked at once.

    Args:
        within: deadline of each question in seconds; an open route takes milliseconds.
    """
    routes, deadline = list(routes), time.monotonic() + within
    with ExitStack() as stack:
        channels: dict[str, Any] = {}
        for address in {r.address for r in routes}:
            channels[address] = stack.enter_context(grpc.insecure_channel(address))
        calls = [(r, _asked(channels[r.address], r)) for r in routes]
        return [route for route, call in calls if not _is_answered(call, deadline)]


def request(actor_type: str) -> bytes:
    """Return the call of an actor as dapr/proto/internals/v1/service_invocation.proto has it."""
    actor = _text(1, actor_type) + _text(2, ACTOR_ID)
    return _VERSION + _field(3, _text(1, METHOD)) + _field(4, actor)


def public_request(actor_type: str) -> bytes:
    """Return the same call as dapr/proto/runtime/v1/dapr.proto has it: InvokeActorRequest."""
    return _text(1, actor_type) + _text(2, ACTOR_ID) + _text(3, METHOD)


def _asked(channel: Any, route: Route) -> Any:
    name = PUBLIC_CALL if route.token else CALL
    data = (public_request if route.token else request)(route.actor_type)
    call = channel.unary_unary(name, request_serializer=None, response_deserializer=None)
    token = [("dapr-api-token", route.token)] if route.token else []
    # Without a deadline of its own: at one, the sidecar might answer that it has passed.
    return call.future(data, metadata=token)


def _is_answered(call: Any, deadline: float) -> bool:
    """Whether there was an answer in time: a refusal is one, and so is a sidecar that is gone."""
    try:
        call.result(timeout=max(0.0, deadline - time.monotonic()))
    except grpc.FutureTimeoutError:
        call.cancel()
        return False
    except grpc.RpcError:
        pass
    return True


def _text(number: int, text: str) -> bytes:
    return _field(number, text.encode())


def _field(number: int, data: bytes) -> bytes:
    """Return a field of bytes, text or a message in the wire format of protobuf."""
    return bytes([number << 3 | 2]) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])
