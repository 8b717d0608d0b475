"""One history event as a typed record, and its JSON form for recordings."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any

SHOWN = 60
NEVER = datetime(9999, 1, 1, tzinfo=timezone.utc)
"""A wait for an event without time-out makes a timer at the end of the year 9999."""


@dataclass(frozen=True)
class Failure:
    """Why something failed: the class name, the message and the stack, as the SDK told them."""

    error_type: str
    message: str
    stack: str = ""


@dataclass(frozen=True)
class HistoryEvent:
    """One event of a workflow's history.

    Attributes:
        app_id, instance_id: whose history it is, as it was asked for.
        index: position in that history, from 0.
        kind: the event's name in the protocol, e.g. ``taskScheduled``.
        time: when it was written, UTC.
        event_id: the number of the step that it begins; -1 when it begins none.
        task_id: the number of the step that it ends; None when it ends none.
        name: of the activity, workflow, timer or external event.
        source_app_id, target_app_id: caller and called app, where the call names an app.
        child_instance_id: the instance ID of a child workflow.
        input, output: JSON text as stored, or None.
        failure: of a failed step or workflow.
        fire_at: when a timer is due, UTC.
        task_execution_id: the same over all retries of one call: the idempotency key.
        timer_for: what a timer serves: ``createTimer``, ``externalEvent``, ``activityRetry`` or
            ``childWorkflowRetry``; None for other events.
        status: of an ended workflow, e.g. ``COMPLETED``.
    """

    app_id: str
    instance_id: str
    index: int
    kind: str
    time: datetime
    event_id: int = -1
    task_id: int | None = None
    name: str | None = None
    source_app_id: str | None = None
    target_app_id: str | None = None
    child_instance_id: str | None = None
    input: str | None = None
    output: str | None = None
    failure: Failure | None = None
    fire_at: datetime | None = None
    task_execution_id: str | None = None
    timer_for: str | None = None
    status: str | None = None

    def __str__(self) -> str:
        """The kind, and in short whom it names and what it carries."""
        crosses = self.name and self.target_app_id
        whom = [self.name, f"→ {self.target_app_id}" if crosses else None]
        failed = f"{self.failure.error_type}: {self.failure.message}" if self.failure else None
        what = failed or self.output or self.input or ""
        what = what if len(what) <= SHOWN else f"{what[:SHOWN]}…"
        words = [*whom, self.child_instance_id, self.status, what]
        return f"{self.kind:<30} {' '.join(w for w in words if w)}".rstrip()

    @property
    def value(self) -> Any:
        """The output, parsed from JSON; the text itself where it is not JSON."""
        return _parsed(self.output)

    @property
    def argument(self) -> Any:
        """The input, parsed from JSON; the text itself where it is not JSON."""
        return _parsed(self.input)


def to_json(events: Iterable[HistoryEvent]) -> list[dict[str, Any]]:
    """Return events as plain values for a recording; empty fields are left out."""
    rows = []
    for event in events:
        row = {k: v for k, v in asdict(event).items() if v is not None}
        row["time"] = event.time.isoformat()
        if event.fire_at:
            row["fire_at"] = event.fire_at.isoformat()
        rows.append(row)
    return rows


def from_json(rows: Iterable[dict[str, Any]]) -> list[HistoryEvent]:
    """Return the events of a recording."""
    events = []
    for row in rows:
        row = dict(row)
        row["time"] = datetime.fromisoformat(row["time"])
        if "fire_at" in row:
            row["fire_at"] = datetime.fromisoformat(row["fire_at"])
        if "failure" in row:
            row["failure"] = Failure(**row["failure"])
        events.append(HistoryEvent(**row))
    return events


def _parsed(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text
