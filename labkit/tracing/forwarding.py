"""Sends the spans that the catcher keeps on to a Zipkin, from the first one of the run.

The catcher stays what the views of a run read. A Zipkin that is started later, or again, gets
everything; one that does not answer gets it when it does. Standard library only.
"""

from __future__ import annotations

import json
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from labkit.tracing.spans import Span

EVERY, SECONDS = 0.5, 5.0
AT_ONCE = 1_000_000


def to_zipkin(span: Span) -> dict[str, Any]:
    """Return a span in the form of Zipkin v2."""
    told: dict[str, Any] = {
        "traceId": span.trace_id,
        "id": span.span_id,
        "name": span.name,
        "timestamp": round(span.start * 1e6),
        "duration": max(1, round(span.seconds * 1e6)),
        "localEndpoint": {"serviceName": span.service},
        "tags": {**({"error": "true"} if span.failed else {}), **span.tags},
    }
    return told | ({"parentId": span.parent_id} if span.parent_id else {})


class Forwarding:
    """What has been sent, and to whom.

    Args:
        spans: the file of the catcher; grows.
        address: a file that names the Zipkin in its first line, if there is one. Another text means
            another Zipkin, which has nothing yet.
    """

    def __init__(self, spans: Path, address: Path) -> None:
        self._spans, self._address = spans, address
        self._to, self._sent = "", 0

    def run(self) -> None:
        """Send for ever."""
        while True:
            if not self.step():
                time.sleep(EVERY)

    def step(self) -> bool:
        """Send the next spans; whether some were sent."""
        try:
            known = self._address.read_text("utf-8")
            if known != self._to:
                self._to, self._sent = known, 0
            with self._spans.open("rb") as file:
                file.seek(self._sent)
                lines = [line for line in file.readlines(AT_ONCE) if line.endswith(b"\n")]
            if not lines:
                return False
            status = self._post([to_zipkin(Span(**json.loads(line))) for line in lines])
        except (OSError, HTTPException):  # there is no Zipkin, or it does not answer yet
            return False
        if status >= 500:
            return False
        if status >= 400:
            print(f"Zipkin refused {len(lines)} spans with {status}", flush=True)
        self._sent += sum(map(len, lines))
        return True

    def _post(self, spans: list[dict[str, Any]]) -> int:
        host, _, port = self._to.partition("\n")[0].partition(":")
        line = HTTPConnection(host, int(port), timeout=SECONDS)
        try:
            body = json.dumps(spans).encode()
            line.request("POST", "/api/v2/spans", body, {"Content-Type": "application/json"})
            return line.getresponse().status
        finally:
            line.close()
