"""A local HTTP server that behaves well or badly, for the download of the runtime."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server:
    """Serves ``files`` (path to bytes); ``behave`` may answer a request in another way.

    Attributes:
        behave: gets the handler; returns True when it has answered.
        asked: the path and the Range header of every request, in order.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.behave: Callable[[BaseHTTPRequestHandler], bool] = lambda handler: False
        self.asked: list[tuple[str, str | None]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append((self.path, self.headers.get("Range")))
                with suppress(BrokenPipeError, ConnectionResetError):
                    if not outer.behave(self):
                        outer.serve(self)

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._ended = threading.Event()
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def serve(self, handler: BaseHTTPRequestHandler, cut: int | None = None) -> None:
        """Answer as a good server does; with ``cut`` break off after so many bytes."""
        data = self.files.get(handler.path)
        if data is None:
            handler.send_error(404)
            return
        asked = handler.headers.get("Range")
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        handler.send_response(206 if asked else 200)
        handler.send_header("Content-Length", str(len(data) - start))
        handler.end_headers()
        handler.wfile.write(data[start:][:cut])
        if cut is not None:
            handler.wfile.flush()
            handler.connection.close()

    def hang(self, seconds: float) -> None:
        """Keep a request waiting, at most until the server ends."""
        deadline = time.monotonic() + seconds
        self._ended.wait(max(0.0, deadline - time.monotonic()))

    def close(self) -> None:
        """End the server."""
        self._ended.set()
        self._http.shutdown()
        self._http.server_close()
