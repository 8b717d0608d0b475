"""One history event as a typed record, and its JSON form for recordings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any

from labkit.errors import ObservationError

SHOWN = 60
NEVER = datetime(9999, 1, 1, tzinfo=timezone.utc)
"""A wait for an event without time-out makes a timer at the end of the year 9999."""


class WrongRecording(ObservationError):
    """A recorded history cannot be read."""

    code = "wrong-recording"


@dataclass(frozen=True)
class Failure:
    """Why something failed: the class name, the message and the stack, as the SDK gave them.

    Attributes:
        inner: the failure behind this one; SDKs of other languages fill it.
        non_retriable: whether the sender asks for no retry.
    """

    error_type: str
    message: str
    stack: str = ""
    inner: Failure | None = None
    non_retriable: bool = False


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
        fire_nanos: the nanoseconds of ``fire_at`` beyond its microsecond: a wait without time-out
            is known by 999.
        timer_of: what the timer serves in particular: the name of the external event, the task
            execution ID of the activity that is tried again, the instance ID of the child.
        version: the version of the workflow that a turn ran, or that a call asks for.
        patches: the patches that a turn took for the first time, in their order.
        reason, description: why a workflow is stalled, e.g. ``VERSION_NOT_AVAILABLE``.
        parent_app_id, parent_instance_id: who called a child workflow.
        rerun_of: the instance from whose history this one was started again, at this step.
        propagation: how much history a call passes on: ``OWN_HISTORY`` or ``LINEAGE``.
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
    fire_nanos: int | None = None
    timer_of: str | None = None
    version: str | None = None
    patches: tuple[str, ...] = ()
    reason: str | None = None
    description: str | None = None
    parent_app_id: str | None = None
    parent_instance_id: str | None = None
    rerun_of: str | None = None
    propagation: str | None = None

    def __str__(self) -> str:
        """The event kind and a short summary: name, target app, child ID, status, payload."""
        crosses = self.name and self.target_app_id
        whom = [self.name, f"→ {self.target_app_id}" if crosses else None]
        failed = f"{self.failure.error_type}: {self.failure.message}" if self.failure else None
        what = self.description or failed or self.output or self.input or ""
        what = what if len(what) <= SHOWN or self.description else f"{what[:SHOWN]}…"
        words = [*whom, self.child_instance_id, self.status, self.reason, *self._notes(), what]
        return f"{self.kind:<30} {' '.join(w for w in words if w)}".rstrip()

    def _notes(self) -> list[str]:
        """Return the version, the patches, what a timer is for, and where a rerun comes from."""
        return [
            f"version {self.version}" if self.version else "",
            f"patches {', '.join(self.patches)}" if self.patches else "",
            f"for {self.timer_of}" if self.timer_for == "externalEvent" and self.timer_of else "",
            f"rerun of {self.rerun_of}" if self.rerun_of else "",
        ]

    @property
    def value(self) -> Any:
        """The output, parsed from JSON; the text itself where it is not JSON."""
        return parsed(self.output)

    @property
    def argument(self) -> Any:
        """The input, parsed from JSON; the text itself where it is not JSON."""
        return parsed(self.input)


def to_json(events: Iterable[HistoryEvent]) -> list[dict[str, Any]]:
    """Return events as plain values for a recording; empty fields are left out."""
    rows = []
    for event in events:
        row = {k: v for k, v in asdict(event).items() if v not in (None, ())}
        row["time"] = event.time.isoformat()
        if event.fire_at:
            row["fire_at"] = event.fire_at.isoformat()
        if event.failure:
            row["failure"] = _failure_to_json(event.failure)
        if event.patches:
            row["patches"] = list(event.patches)
        rows.append(row)
    return rows


def from_json(rows: Iterable[dict[str, Any]]) -> list[HistoryEvent]:
    """Return the events of a recording; those of earlier versions of labkit are read, too.

    Raises:
        WrongRecording: a row is none of a recording; names it.
    """
    if isinstance(rows, (str, bytes, dict)) or not isinstance(rows, Iterable):
        raise wrong_recording(f"{type(rows).__name__} in place of a list of events")
    events = []
    for number, row in enumerate(rows):
        with of_recording(f"event {number}"):
            events.append(_event(row))
    return events


def _event(row: dict[str, Any]) -> HistoryEvent:
    row = dict(row)
    row["time"] = _time(row["time"])
    if "fire_at" in row:
        row["fire_at"] = _time(row["fire_at"])
    if "failure" in row:
        row["failure"] = _failure_from_json(row["failure"])
    row["patches"] = tuple(row.get("patches", ()))
    return HistoryEvent(**row)


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return found


@contextmanager
def of_recording(what: str) -> Iterator[None]:
    """Say of an error within the block that a part of a recording is wrong.

    Raises:
        WrongRecording: with what it is.
    """
    try:
        yield
    except KeyError as problem:
        raise wrong_recording(f"{what} has no {problem}") from problem
    except (TypeError, ValueError, AttributeError, SystemError, OverflowError) as problem:
        raise wrong_recording(f"{what}: {problem}") from problem
    except RecursionError as problem:
        raise wrong_recording(f"{what} is nested too deep") from problem


def wrong_recording(found: str) -> WrongRecording:
    """Return the error for a recording that cannot be used."""
    return WrongRecording(
        "a recorded history cannot be read",
        asked="the events of a recording",
        found=found,
        look_at="the file with the recording",
        fix="record the history again: json.dumps(to_json(lab.run(ID).history.events))",
    )


def _failure_to_json(failure: Failure) -> dict[str, Any]:
    row: dict[str, Any] = {"error_type": failure.error_type, "message": failure.message}
    row["stack"] = failure.stack
    if failure.inner:
        row["inner"] = _failure_to_json(failure.inner)
    if failure.non_retriable:
        row["non_retriable"] = True
    return row


def _failure_from_json(row: dict[str, Any]) -> Failure:
    inner = row.get("inner")
    return Failure(**{**row, "inner": _failure_from_json(inner) if inner else None})


def parsed(text: str | None) -> Any:
    """Return the value of a text in JSON; the text itself when it is none."""
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text
