"""Whether a sidecar finds an actor: any answer in time counts, whatever it says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from labkit.apps.routing import CALL, PUBLIC_CALL, Route, closed, public_request, request
from labkit.waiting import patience

OPEN = {
    "an answer": None,
    "it lives elsewhere": (grpc.StatusCode.INTERNAL, "remote actor moved"),
    "a policy refuses": (grpc.StatusCode.PERMISSION_DENIED, "access denied"),
    "no actors here": (grpc.StatusCode.UNIMPLEMENTED, "actor runtime is not configured"),
}


class Sidecar(grpc.GenericRpcHandler):
    """Answers as its actor type says; one named ``blocked`` gets no answer until the end."""

    def __init__(self) -> None:
        self.end = threading.Event()
        self.asked: list[bytes] = []
        self.doors: list[tuple[str, str | None]] = []

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        self.doors.append((details.method, dict(details.invocation_metadata).get("dapr-api-token")))
        known = details.method in (CALL, PUBLIC_CALL)
        return grpc.unary_unary_rpc_method_handler(self._answer) if known else None

    def _answer(self, given: bytes, context: grpc.ServicerContext) -> bytes:
        self.asked.append(given)
        if b"blocked" in given:
            self.end.wait(30 * patience())
        for name, refusal in OPEN.items():
            if name.encode() in given and refusal:
                context.abort(*refusal)
        return b""


@pytest.fixture
def sidecar() -> Iterator[tuple[Sidecar, str]]:
    handler = Sidecar()
    server = grpc.server(ThreadPoolExecutor(8), handlers=[handler])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield handler, f"127.0.0.1:{port}"
    handler.end.set()
    server.stop(None)


@pytest.mark.parametrize("kind", OPEN)
def test_any_answer_is_one(sidecar, kind):
    handler, address = sidecar
    assert closed([Route("a", "b", address, kind)], 10) == []
    assert len(handler.asked) == 1


def test_with_a_token_the_public_api_is_asked(sidecar):
    handler, address = sidecar
    ways = [Route("a", "b", address, "an answer", "secret"), Route("a", "b", address, "an answer")]
    assert closed(ways, 10) == []
    assert set(handler.doors) == {(PUBLIC_CALL, "secret"), (CALL, None)}
    assert public_request("an answer") in handler.asked


def test_only_the_way_that_gives_no_answer_is_closed(sidecar):
    _, address = sidecar
    ways = [Route("a", n, address, n) for n in ("blocked.x", "an answer", "blocked.y")]
    assert [r.target for r in closed(ways, 0.3)] == ["blocked.x", "blocked.y"]


def test_a_sidecar_that_is_gone_blocks_nobody():
    assert closed([Route("a", "b", "127.0.0.1:1", "any")], 10) == []


def test_no_way_is_no_closed_way():
    assert closed([], 10) == []


def test_the_question_is_what_the_runtime_reads():
    """Decoded by hand: fields 1 (version), 3 (method) and 4 (actor), also beyond 127 bytes."""
    kind = "dapr.internal.default." + "x" * 150 + ".retentioner"
    sent = request(kind)
    assert sent.startswith(b"\x08\x01\x1a\x0e\n\x0cLabReadiness\x22")
    length = sent[19] & 127 | sent[20] << 7
    assert len(sent[21:]) == length
    assert sent[21:].startswith(b"\n\xb8\x01" + kind.encode())
    assert sent.endswith(b"\x12\x0dlab-readiness")
