"""Histories that were read from a real run; the file says of which runtime."""

from __future__ import annotations

import json
from pathlib import Path

from labkit.history import HistoryEvent, RunHistory, UnknownInstance, from_json, join

FILE = Path(__file__).parents[1] / "data" / "recorded.json"


def fetch(app_id: str, instance_id: str) -> list[HistoryEvent]:
    """Return a recorded history as a sidecar would."""
    rows = json.loads(FILE.read_text("utf-8"))["histories"].get(f"{app_id}/{instance_id}")
    if rows is None:
        raise UnknownInstance("unknown", asked="x", found="not recorded", look_at="x", fix="x")
    return from_json(rows)


def recorded(instance_id: str) -> RunHistory:
    """Return the joined history of a recorded instance of the task system."""
    return join("task-orchestrator-service", instance_id, fetch)
