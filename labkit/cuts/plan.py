"""Where a run can be cut: at each event that was recorded, and whom a cut hits."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from labkit.history import HistoryEvent, RunHistory

Victim = Literal[
    "worker", "sidecar", "target", "placement", "scheduler", "everything", "before", "after"
]
How = Literal["kill", "stop", "raise"]
VICTIMS: dict[Victim, str] = {
    "worker": "the service process of the app that recorded the event",
    "sidecar": "its sidecar",
    "target": "service and sidecar of the app that the step calls",
    "placement": "the placement service",
    "scheduler": "the scheduler",
    "everything": "all processes of the lab",
}
RAISES: dict[Victim, str] = {
    "before": "the activity raises an exception before it does anything",
    "after": "the activity raises an exception after it has done its work",
}
HOWS: dict[How, str] = {
    "kill": "SIGKILL, as a crash",
    "stop": "SIGSTOP for a while, as a program that hangs",
    "raise": "an activity raises an exception, once",
}
TURN = "workflowStarted"
"""A turn of the workflow's code begins; it is recorded together with what follows."""


@dataclass(frozen=True)
class Point:
    """A recorded event, found again in another run by what it is about, not by its position.

    Attributes:
        number: its place among the points of the recorded run, from 1.
        app_id, instance_id: whose history records it.
        event_id, task_id: see :class:`labkit.history.HistoryEvent`.
        nth: the how-manieth event of this kind and name it is, from 1.
        target: the app that the step calls, where it is another one; else None.
    """

    number: int
    app_id: str
    instance_id: str
    kind: str
    name: str | None
    event_id: int
    task_id: int | None
    nth: int
    target: str | None

    def __str__(self) -> str:
        whom = f" → {self.target}" if self.target else ""
        return f"{self.kind} {self.name or ''}{whom}".replace("  ", " ").rstrip()

    def is_in(self, events: Sequence[HistoryEvent]) -> bool:
        """Whether a history of the same instance holds this event."""
        if self.task_id is not None or self.event_id >= 0:
            wanted = (self.kind, self.event_id, self.task_id)
            return any((e.kind, e.event_id, e.task_id) == wanted for e in events)
        return sum((e.kind, e.name) == (self.kind, self.name) for e in events) >= self.nth


@dataclass(frozen=True)
class Cut:
    """One point, and what is done there."""

    point: Point
    victim: Victim
    how: How = "kill"

    @property
    def name(self) -> str:
        """A word for the command line, such as ``07-worker`` or ``07-worker-stop``."""
        name = f"{self.point.number:02}-{self.victim}"
        return name if self.how != "stop" else f"{name}-stop"

    @property
    def victims(self) -> list[tuple[str, Literal["worker", "sidecar"] | None]]:
        """Whom it hits, as :meth:`labkit.Lab.kill` takes it; empty for everything."""
        if self.victim in ("worker", "sidecar"):
            return [(self.point.app_id, self.victim)]
        if self.victim == "target":
            return [(self.point.target or self.point.app_id, None)]
        return [] if self.victim == "everything" else [(self.victim, None)]

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, for JSON."""
        return asdict(self)


def cut_from(raw: dict[str, Any]) -> Cut:
    """Return the cut that :meth:`Cut.as_dict` wrote."""
    return Cut(Point(**raw["point"]), raw["victim"], raw["how"])


def points_of(history: RunHistory) -> list[Point]:
    """Return where a run can be cut: every recorded event but the beginning of turns."""
    targets = {
        (e.instance_id, e.event_id): e.target_app_id for e in history.all_events if e.event_id >= 0
    }
    seen: Counter[tuple[str, str, str | None]] = Counter()
    points: list[Point] = []
    for event in history.all_events:
        if event.kind == TURN:
            continue
        key = (event.instance_id, event.kind, event.name)
        seen[key] += 1
        step = -1 if event.task_id is None else event.task_id
        target = event.target_app_id or targets.get((event.instance_id, step))
        points.append(
            Point(
                number=len(points) + 1,
                app_id=event.app_id,
                instance_id=event.instance_id,
                kind=event.kind,
                name=event.name or _name_of_step(history, event),
                event_id=event.event_id,
                task_id=event.task_id,
                nth=seen[key],
                target=target if target != event.app_id else None,
            )
        )
    return points


def cuts_of(points: Iterable[Point], victims: Sequence[Victim], how: How = "kill") -> Iterator[Cut]:
    """Yield the cuts of points and victims that make sense together."""
    for point in points:
        if how == "raise":
            yield from (Cut(point, v, how) for v in victims if point.kind == "taskScheduled")
        else:
            yield from (Cut(point, v, how) for v in victims if v != "target" or point.target)


def sample(cuts: Sequence[Cut], count: int, seed: int) -> list[Cut]:
    """Return ``count`` of the cuts, the same ones for a seed, in their order."""
    chosen = random.Random(seed).sample(range(len(cuts)), min(count, len(cuts)))
    return [cuts[i] for i in sorted(chosen)]


def _name_of_step(history: RunHistory, event: HistoryEvent) -> str | None:
    """The name of the step that an event ends; the event itself does not carry it."""
    began = (
        e
        for e in history.all_events
        if e.instance_id == event.instance_id and e.event_id == event.task_id and e.event_id >= 0
    )
    return next((e.name for e in began), None)
