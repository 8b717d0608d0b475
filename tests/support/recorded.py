"""Histories that were read from a real run; the file says of which runtime."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from labkit.apps.app import Down
from labkit.history import (
    Cut,
    HistoryEvent,
    RunHistory,
    UnknownInstance,
    connections,
    cuts,
    from_json,
    join,
)

KILLED = Path(__file__).parents[1] / "data" / "killed.json"
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


@dataclass(frozen=True)
class Killed:
    """A run in which something was killed: what the history says, and what the logs say."""

    history: RunHistory
    down: list[Down]
    cuts: list[Cut]
    connected: list[float]


def killed(name: str) -> Killed:
    """Return a recorded run: ``worker``, ``remote``, ``sidecar``, ``app``, or ``gone`` for good."""
    told = json.loads(KILLED.read_text("utf-8"))[name]
    histories, logs = told["histories"], {a: "\n".join(ls) for a, ls in told["logs"].items()}
    history = join(*told["root"], lambda a, i: from_json(histories[f"{a}/{i}"]))
    return Killed(
        history,
        [Down(**d) for d in told["downs"]],
        [c for a, log in logs.items() for c in cuts(a, log)],
        [moment for log in logs.values() for moment in connections(log)],
    )
