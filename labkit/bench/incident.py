"""How long the verdict on an incident takes where it only reads, and how long its beginning."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from labkit.bench import median
from labkit.incidents import deployed, drawing, judging, oncall

FAULT = "every-order-fails"
VERDICTS = 20


def measure(runs: int) -> dict[str, Any]:
    """Return ``p50_s`` and ``p95_s`` of a verdict that reads, on a repaired system under load.

    ``begin_s`` is the time to the page, with its story; ``atlas_ms`` that of a search.
    """
    before = os.environ.get("LABKIT_STATE")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        os.environ["LABKIT_STATE"] = str(Path(folder).resolve())
        try:
            return _measured()
        finally:
            if before is None:
                del os.environ["LABKIT_STATE"]
            else:
                os.environ["LABKIT_STATE"] = before


def _measured() -> dict[str, Any]:
    began = time.monotonic()
    with oncall.begin(drawing.of([FAULT])) as incident:
        ready = time.monotonic() - began
        for fault in incident.faults:
            incident.diagnose(sorted(fault.places)[0], fault.cause)
            texts = deployed.read(deployed.folder())
            deployed.write(deployed.folder(), deployed.repaired(texts, fault))
        incident.restart()
        judging.read_only(incident)  # waits for the first new orders; those are not its own time
        seconds = sorted(_seconds(incident) for _ in range(VERDICTS))
    return {
        "p50_s": median(seconds),
        "p95_s": round(seconds[int(0.95 * (VERDICTS - 1))], 3),
        "verdicts": VERDICTS,
        "begin_s": round(ready, 1),
        "atlas_ms": round(1000 * _search(), 1),
    }


def _seconds(incident: oncall.Incident) -> float:
    began = time.monotonic()
    rows = judging.read_only(incident)
    assert all(row.outcome == "passed" for row in rows), rows
    return time.monotonic() - began


def _search() -> float:
    from labkit.incidents.atlas import search

    search("warm")
    began = time.monotonic()
    search("Activity function named 'x' was not registered!")
    return time.monotonic() - began
