"""What drawing costs: milliseconds per 1,000 history events, and how that grows."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import Any

from labkit.bench import median
from labkit.history import HistoryEvent, RunHistory
from labkit.swimlane import Swimlane

SIZES = (1_000, 2_000, 4_000)
BEGAN = datetime(2026, 1, 1, tzinfo=timezone.utc)


def measure(runs: int) -> dict[str, Any]:
    """Return ``ms_per_1000`` at 1,000 events, and ``growth``: what four times as many cost."""
    costs = {size: median([_one(size) for _ in range(runs)]) for size in SIZES}
    return {
        "ms_per_1000": round(costs[1_000] * 1000, 1),
        **{f"ms_at_{size}": round(cost * 1000, 1) for size, cost in costs.items()},
        "growth": round(costs[4_000] / costs[1_000], 2),
        "runs": runs,
    }


def _one(size: int) -> float:
    history = made(size)
    began = time.perf_counter()
    assert Swimlane(history).svg
    return time.perf_counter() - began


def made(size: int) -> RunHistory:
    """Return a history of about ``size`` events: remote activities, one after another."""
    events = [_event(0, "executionStarted", name="many")]
    for number in range(1, size // 2):
        events.append(
            _event(
                2 * number, "taskScheduled", event_id=number, name="work", target_app_id="target"
            )
        )
        events.append(_event(2 * number + 1, "taskCompleted", task_id=number))
    return RunHistory("caller", "many", tuple(events))


def _event(index: int, kind: str, **more: Any) -> HistoryEvent:
    at = BEGAN + timedelta(milliseconds=10 * index)
    return HistoryEvent("caller", "many", index, kind, at, **more)
