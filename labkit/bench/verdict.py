"""How long a verdict takes, in seconds: on the learner's lab alone, and with a counter-scenario."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from labkit.bench import median
from labkit.exercises import Exercise, load
from labkit.exercises.checking import look
from labkit.exercises.deployment import prepare
from labkit.labs.lab import Lab

EXERCISE = "nobody-answers"
VERDICTS = 20
COUNTERS = 6
"""Each starts a second lab; the first of them also fills the caches of the machine."""
ORDER = {
    "task_id": "bench",
    "title": "Measure a verdict",
    "assignee_email": "alice@example.com",
    "assignee_user_id": "user-alice",
}


def measure(runs: int) -> dict[str, Any]:
    """Return ``p50_s`` and ``p95_s`` of verdicts on a whole deployment.

    ``counter_p50_s`` and ``counter_p95_s`` are those of verdicts that run a counter-scenario.
    """
    before = os.environ.get("LABKIT_STATE")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        os.environ["LABKIT_STATE"] = str(Path(folder).resolve())
        try:
            looks, counters = _measured()
        finally:
            if before is None:
                del os.environ["LABKIT_STATE"]
            else:
                os.environ["LABKIT_STATE"] = before
    return {
        "p50_s": median(looks),
        "p95_s": _p95(looks),
        "runs": len(looks),
        "counter_p50_s": median(counters),
        "counter_p95_s": _p95(counters),
        "counter_runs": len(counters),
    }


def _p95(seconds: list[float]) -> float:
    return round(sorted(seconds)[int(0.95 * (len(seconds) - 1))], 3)


def _measured() -> tuple[list[float], list[float]]:
    exercise = load(EXERCISE)
    with Lab(prepare(exercise, exercise.healthy)) as lab:
        lab.up(announce=False)
        client = lab.client("task-orchestrator-service")
        client.schedule_new_workflow("task_processing_multi_app", input=ORDER, instance_id="order")
        lab.run("order").wait()
        looks = [_seconds(exercise, counter=False) for _ in range(VERDICTS)]
        return looks, [_seconds(exercise, counter=True) for _ in range(COUNTERS)]


def _seconds(exercise: Exercise, *, counter: bool) -> float:
    began = time.monotonic()
    assert look(exercise, counter=counter).passed
    return time.monotonic() - began
