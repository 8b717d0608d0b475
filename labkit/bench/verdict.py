"""How long a warm verdict takes beside the system that it looks at, in seconds."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from labkit.bench import median
from labkit.exercises import load
from labkit.exercises.checking import look
from labkit.exercises.deployment import prepare
from labkit.lab import Lab

EXERCISE = "nobody-answers"
VERDICTS = 20
ORDER = {
    "task_id": "bench",
    "title": "Measure a verdict",
    "assignee_email": "alice@example.com",
    "assignee_user_id": "user-alice",
}


def measure(runs: int) -> dict[str, Any]:
    """Return ``p50_s`` and ``p95_s`` of verdicts on a whole deployment."""
    before = os.environ.get("LABKIT_STATE")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        os.environ["LABKIT_STATE"] = str(Path(folder).resolve())
        try:
            seconds = _measured()
        finally:
            if before is None:
                del os.environ["LABKIT_STATE"]
            else:
                os.environ["LABKIT_STATE"] = before
    ordered = sorted(seconds)
    return {
        "p50_s": median(ordered),
        "p95_s": round(ordered[int(0.95 * (len(ordered) - 1))], 3),
        "runs": len(ordered),
    }


def _measured() -> list[float]:
    exercise = load(EXERCISE)
    seconds = []
    with Lab(prepare(exercise, exercise.healthy)) as lab:
        lab.up(announce=False)
        client = lab.client("task-orchestrator-service")
        client.schedule_new_workflow("task_processing_multi_app", input=ORDER, instance_id="order")
        lab.run("order").wait()
        for _ in range(VERDICTS):
            began = time.monotonic()
            assert look(exercise).passed
            seconds.append(time.monotonic() - began)
    return seconds
