"""The histories of a workflow and its children as one record, and its steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from labkit.errors import LabError
from labkit.history.events import NEVER, Failure, HistoryEvent
from labkit.history.kinds import KINDS, status_of
from labkit.notebook.texts import wrapped

Fetch = Callable[[str, str], list[HistoryEvent]]
Kind = Literal["activity", "child", "timer", "event"]
Outcome = Literal["completed", "failed", "running"]

_BEGINS: dict[str, Kind] = {
    "taskScheduled": "activity",
    "childWorkflowInstanceCreated": "child",
    "timerCreated": "timer",
}
_ENDS = {
    "taskCompleted": "completed",
    "taskFailed": "failed",
    "childWorkflowInstanceCompleted": "completed",
    "childWorkflowInstanceFailed": "failed",
    "timerFired": "completed",
}


@dataclass(frozen=True)
class Step:
    """One call of a workflow, from the event that began it to the one that ended it.

    Attributes:
        app_id: where it ran: the called app, or the workflow's own.
        caller: the app whose history holds it.
        attempt: 1 for the first try, 2 for the first retry, and so on.
        ended: None while it is running.
        timer_for: of a timer, what it serves; see HistoryEvent.
        due: when a timer fires, UTC.
        argument, value: what it was given and what it answered, parsed from JSON.
    """

    kind: Kind
    name: str
    app_id: str
    caller: str
    instance_id: str
    number: int
    began: datetime
    ended: datetime | None
    outcome: Outcome
    attempt: int = 1
    failure: Failure | None = None
    child_instance_id: str | None = None
    timer_for: str | None = None
    task_execution_id: str | None = None
    due: datetime | None = None
    argument: Any = None
    value: Any = None

    @property
    def is_remote(self) -> bool:
        """Whether the call crossed to another app."""
        return self.app_id != self.caller

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it is running."""
        return (self.ended - self.began).total_seconds() if self.ended else None


@dataclass(frozen=True)
class Missing:
    """A child whose history could not be read, and why."""

    app_id: str
    instance_id: str
    reason: str


@dataclass(frozen=True, repr=False)
class RunHistory:
    """The history of one instance, with the histories of its children.

    Attributes:
        events: of this instance only, oldest first; ``all_events`` has the children's too.
    """

    app_id: str
    instance_id: str
    events: tuple[HistoryEvent, ...]
    children: tuple[RunHistory, ...] = field(default=())
    missing: tuple[Missing, ...] = field(default=())

    def __repr__(self) -> str:
        """One line per event, the children's in between; seconds since the first one."""
        events = self.all_events
        width = max((len(e.app_id) for e in events), default=0)
        lines = [f"{self.instance_id}: {len(events)} events of {', '.join(self.app_ids)}"]
        for event in events:
            seconds = (event.time - events[0].time).total_seconds()
            lines.append(f"{seconds:8.2f} s  {event.app_id:<{width}}  {event}")
        gone = [m for run in self.walk() for m in run.missing]
        lines += [f"not read: {m.instance_id} of {m.app_id}: {m.reason}" for m in gone]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return wrapped(repr(self))

    @property
    def name(self) -> str:
        """The name of the workflow."""
        started = (e.name for e in self.events if e.kind == "executionStarted")
        return next((n for n in started if n), "workflow")

    @property
    def status(self) -> str:
        """The status that the events give, in the runtime's own words; see STATUSES in kinds.py."""
        return status_of(self.events)

    @property
    def stalled(self) -> HistoryEvent | None:
        """The event that says why the workflow is stalled; None when it is not."""
        return self.events[-1] if self.status == "STALLED" else None

    @property
    def status_words(self) -> str:
        """The status, with the reason of a stall and with what came before this history."""
        words = [self.status]
        if self.stalled and self.stalled.reason:
            words[0] += f": {self.stalled.reason}"
        words += ["continued as new"] if self.is_continued else []
        words += [f"rerun of {self.rerun_of}"] if self.rerun_of else []
        return ", ".join(words)

    @property
    def is_continued(self) -> bool:
        """Whether the workflow has continued as new: what came before is not in its history.

        The runtime gives the first turn of such a history a router, and no other turn one
        (durabletask-go 0.12.1, ``runtimestate/applier.go``, CONTINUED_AS_NEW).
        """
        first = next((e for e in self.events if e.kind == "workflowStarted"), None)
        return first is not None and first.source_app_id is not None

    @property
    def rerun_of(self) -> str | None:
        """The instance from whose history this one was started again; None when it was not."""
        return next((e.rerun_of for e in self.events if e.rerun_of), None)

    @property
    def marks(self) -> list[HistoryEvent]:
        """What happened to the workflow as a whole: suspended, resumed, stalled, terminated."""
        return [e for e in self.events if e.kind in KINDS and KINDS[e.kind].shown == "a mark"]

    def awaited(self) -> list[str]:
        """Return in words what the workflow waits for, the oldest first; empty when it has ended.

        A call that is retried counts as its timer. A call that the runtime cannot dispatch, e.g.
        to an app that is not running, is in no history and so not here.

        A result that stands before its call was not taken: docs/facts.md, "A result that is lost".
        """
        if status_of(self.events) not in ("RUNNING", "SUSPENDED"):
            return []
        taken = answered_waits(self.events)
        begun, early = dict[int, HistoryEvent](), set[int]()
        for event in self.events:
            if event.kind in _BEGINS:
                begun[event.event_id] = event
            elif event.task_id is not None and begun.pop(event.task_id, None) is None:
                early.add(event.task_id)
        lost = ", whose result came before the call was recorded and is lost"
        return [
            _awaited(e, self.app_id) + lost * (id in early)
            for id, e in begun.items()
            if id not in taken
        ]

    @property
    def kinds(self) -> list[str]:
        """The kinds of the events of this instance, in order."""
        return [e.kind for e in self.events]

    @property
    def all_events(self) -> list[HistoryEvent]:
        """All events of this instance and its children, by time."""
        mixed = [e for run in self.walk() for e in run.events]
        return sorted(mixed, key=lambda e: (e.time, e.instance_id, e.index))

    @property
    def app_ids(self) -> list[str]:
        """The apps that took part, the parent's first, then in the order of the first call."""
        seen = [self.app_id]
        for run in self.walk():
            seen += [run.app_id, *(s.app_id for s in run.own_steps())]
        return list(dict.fromkeys(seen))

    def walk(self) -> Iterator[RunHistory]:
        """Yield this history and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()

    def own_steps(self) -> list[Step]:
        """Return the steps of this instance, in the order in which they began."""
        return _steps(self)

    def steps(self) -> list[Step]:
        """Return the steps of this instance and its children, by the time they began."""
        mixed = [s for run in self.walk() for s in run.own_steps()]
        return sorted(mixed, key=lambda s: (s.began, s.instance_id, s.number))


def join(app_id: str, instance_id: str, fetch: Fetch) -> RunHistory:
    """Read an instance's history and, recursively, those of its children.

    Args:
        fetch: returns the events of (app ID, instance ID), or raises a LabError.

    Raises:
        LabError: the root's history cannot be read. A child that cannot be read is kept as
            :class:`Missing` with its reason.
    """
    return _joined(app_id, instance_id, fetch, fetch(app_id, instance_id), {(app_id, instance_id)})


def _joined(
    app_id: str,
    instance_id: str,
    fetch: Fetch,
    events: list[HistoryEvent],
    seen: set[tuple[str, str]],
) -> RunHistory:
    children, missing = [], []
    for event in events:
        if event.kind != "childWorkflowInstanceCreated" or not event.child_instance_id:
            continue
        child = (event.target_app_id or app_id, event.child_instance_id)
        if child in seen:  # a retried child keeps its instance ID; its newest try is read once
            continue
        seen.add(child)
        try:
            children.append(_joined(*child, fetch, fetch(*child), seen))
        except LabError as problem:
            missing.append(Missing(*child, f"{problem.title}: {problem.found}"))
    return RunHistory(app_id, instance_id, tuple(events), tuple(children), tuple(missing))


def answered_waits(events: Iterable[HistoryEvent]) -> set[int]:
    """Return the numbers of the timers whose external event has come before their time.

    The oldest wait of a name takes the next event of that name, whatever its case: so does the
    runtime when it deletes such timers (dapr/dapr v1.18.1, ``orchestrator/timer.go``,
    deleteCancelledEventTimers).
    """
    waits: dict[str, list[int]] = {}
    answered: set[int] = set()
    for event in events:
        if event.kind == "timerCreated" and event.timer_for == "externalEvent":
            waits.setdefault((event.timer_of or "").upper(), []).append(event.event_id)
        elif event.kind == "timerFired":
            for numbers in waits.values():
                numbers[:] = [n for n in numbers if n != event.task_id]
        elif event.kind == "eventRaised" and (queue := waits.get((event.name or "").upper())):
            answered.add(queue.pop(0))
    return answered


def _awaited(event: HistoryEvent, app_id: str) -> str:
    if event.kind == "timerCreated":
        return _awaited_timer(event)
    where = event.target_app_id or app_id
    if event.kind == "taskScheduled":
        return f"activity {event.name} on {where}"
    return f"child workflow {event.name} on {where}, instance {event.child_instance_id}"


def _awaited_timer(event: HistoryEvent) -> str:
    due = event.fire_at
    until = f"{due:%H:%M:%S} UTC" if due and due < NEVER else ""
    if until and due and due.date() != event.time.date():
        until = f"{due:%Y-%m-%d} {until}"
    if event.timer_for == "externalEvent":
        return f"event {event.timer_of or ''}".rstrip() + (f" until {until}" if until else "")
    if event.timer_for in ("activityRetry", "childWorkflowRetry"):
        return f"the next try at {until}"
    return f"a timer, due at {until}"


def _steps(run: RunHistory) -> list[Step]:
    ends = {e.task_id: e for e in run.events if e.kind in _ENDS and e.task_id is not None}
    attempts: dict[tuple[str, str], int] = {}
    found = []
    for event in run.events:
        if event.kind == "eventRaised":
            found.append(_raised(run, event))
        kind = _BEGINS.get(event.kind)
        if kind is None or (event.fire_at is not None and event.fire_at >= NEVER):
            continue
        # Retries of one call share the task execution id; those of a child its instance ID.
        call = event.task_execution_id or event.child_instance_id or f"{event.event_id}"
        attempts[kind, call] = attempts.get((kind, call), 0) + 1
        found.append(_step(run, event, kind, ends.get(event.event_id), attempts[kind, call]))
    return found


def _step(
    run: RunHistory, event: HistoryEvent, kind: Kind, end: HistoryEvent | None, attempt: int
) -> Step:
    outcome: Outcome = "running"
    if end is not None:
        outcome = "failed" if _ENDS[end.kind] == "failed" else "completed"
    return Step(
        kind=kind,
        name=event.name or kind,
        app_id=run.app_id if kind == "timer" else event.target_app_id or run.app_id,
        caller=run.app_id,
        instance_id=run.instance_id,
        number=event.event_id,
        began=event.time,
        ended=end.time if end else None,
        outcome=outcome,
        attempt=attempt,
        failure=end.failure if end else None,
        child_instance_id=event.child_instance_id,
        timer_for=event.timer_for,
        task_execution_id=event.task_execution_id,
        due=event.fire_at,
        argument=event.argument,
        value=end.value if end else None,
    )


def _raised(run: RunHistory, event: HistoryEvent) -> Step:
    return Step(
        kind="event",
        name=event.name or "event",
        app_id=run.app_id,
        caller=run.app_id,
        instance_id=run.instance_id,
        number=-1,
        began=event.time,
        ended=event.time,
        outcome="completed",
    )
