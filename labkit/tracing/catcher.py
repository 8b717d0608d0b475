"""Takes spans from sidecars, as Zipkin JSON and OTLP over HTTP, and keeps each as a line of JSON.

Runs as a program (``python -m labkit.tracing.catcher --port N --file FILE``), on loopback only,
with nothing but the standard library until the first span in protobuf comes: it has to listen
before the sidecars start. The reading side is :func:`labkit.tracing.read`. What it keeps it also
sends to the Zipkin that the file ``--forward-to`` names, as soon as there is one.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import threading
from collections.abc import Callable, Iterable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from labkit.tracing.forwarding import Forwarding
from labkit.tracing.received import from_otlp, from_zipkin, is_noise
from labkit.tracing.spans import Span

HOST = "127.0.0.1"
MOST_BYTES = 32 * 1024 * 1024
Keep = Callable[[Iterable[Span]], None]


def server(port: int, keep: Keep) -> ThreadingHTTPServer:
    """Return a server that listens; ``keep`` takes what it is sent, without the noise."""

    class Catcher(BaseHTTPRequestHandler):
        """Takes two paths, and refuses what is not in the form that belongs to them."""

        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            """Keep the spans of one request."""
            read = {"/api/v2/spans": _zipkin, "/v1/traces": _otlp}.get(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            if read is None or length > MOST_BYTES:
                self.close_connection = True
                return self._answer(404 if read is None else 413)
            try:
                keep(s for s in read(self.rfile.read(length)) if not is_noise(s))
            except ValueError as problem:
                return self._answer(400, str(problem))
            return self._answer(202 if read is _zipkin else 200)

        def _answer(self, status: int, text: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            if self.close_connection:  # else the other side takes it for its next request
                self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing: every sidecar sends some times a second."""

    return ThreadingHTTPServer((HOST, port), Catcher)


def _zipkin(body: bytes) -> list[Span]:
    return from_zipkin(json.loads(body))  # what is not JSON is a ValueError as well


def _otlp(body: bytes) -> list[Span]:
    return from_otlp(body)


def appending(file: Path) -> Keep:
    """Return what appends spans to a file that only this user reads, whole lines at a time."""
    one_at_a_time = threading.Lock()

    def keep(spans: Iterable[Span]) -> None:
        lines = "".join(f"{span.to_json()}\n" for span in spans)
        with one_at_a_time:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as out:
                out.write(lines)

    return keep


def main(argv: Sequence[str] | None = None) -> None:
    """Run the catcher until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=9411)
    parser.add_argument("--file", type=Path, required=True, help="one line of JSON for each span")
    parser.add_argument("--forward-to", type=Path, help="a file with HOST:PORT of a Zipkin")
    options = parser.parse_args(argv)
    catcher = server(options.port, appending(options.file))
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    threading.Thread(target=catcher.serve_forever, daemon=True).start()
    if options.forward_to:
        forwarding = Forwarding(options.file, options.forward_to)
        threading.Thread(target=forwarding.run, daemon=True).start()
    ended.wait()


if __name__ == "__main__":
    main()
