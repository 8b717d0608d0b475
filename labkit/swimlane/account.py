"""What a picture shows of a run, before anything has a place: names, runs of steps, times down.

The picture and its text are made from this one account, so that they say the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from labkit.history import UNDER_WAY, Cut, RunHistory, Step
from labkit.swimlane.names import short_forms

MANY = 8
"""More calls of one activity than this from one workflow are drawn as one bar with a count."""

Ending = Literal["completed", "failed", "running", "cut"]


class DownTime(Protocol):
    """A time in which a part of an app could not work."""

    @property
    def app_id(self) -> str: ...
    @property
    def part(self) -> str: ...
    @property
    def start(self) -> float: ...
    @property
    def end(self) -> float | None: ...


@dataclass(frozen=True)
class _Within:
    """The part of a time down that lies in the picture."""

    app_id: str
    part: str
    start: float
    end: float | None


@dataclass(frozen=True)
class Span:
    """One run of a step: from the call, or from where it could run again, to its end.

    Attributes:
        began, ended: seconds since the epoch; ``ended`` is None while it is running.
        run: 1 for the first run, 2 for the one after a cut, and so on.
    """

    began: float
    ended: float | None
    outcome: Ending
    run: int


class Account:
    """The history of a run, with what else is known about its time.

    Attributes:
        last: where the picture ends, in seconds since the epoch: the last event, or ``now`` while
            the run has not ended.
    """

    def __init__(
        self,
        history: RunHistory,
        down: Iterable[DownTime] = (),
        cuts: Iterable[Cut] = (),
        now: float | None = None,
    ) -> None:
        self.history = history
        event = max(e.time.timestamp() for e in history.all_events)
        self.last = max(event, now or event) if history.status in UNDER_WAY else event
        self.down: Sequence[DownTime] = during(history, down, self.last)
        self._cuts: dict[tuple[str, str, int], list[Cut]] = {}
        for cut in cuts:
            self._cuts.setdefault((cut.app_id, cut.instance_id, cut.number), []).append(cut)
        steps = [(run, run.own_steps()) for run in history.walk()]
        self._names = {key: name for run, own in steps for key, name in _names(run, own)}
        self._names_of_children = {
            (s.app_id, s.child_instance_id): self.name(s)
            for _, own in steps
            for s in own
            if s.kind == "child"
        }

    def name(self, step: Step) -> str:
        """The name of a step, with a short form of its input where names repeat."""
        return self._names.get((step.caller, step.instance_id, step.number), step.name)

    def name_of_run(self, run: RunHistory) -> str:
        """The name of a workflow, as its parent's step is named."""
        return self._names_of_children.get((run.app_id, run.instance_id), run.name)

    def spans(self, step: Step) -> list[Span]:
        """Return the runs of a step: one, and one more for each time it was cut off."""
        spans: list[Span] = []
        began: float | None = step.began.timestamp()
        ended = step.ended.timestamp() if step.ended else None
        for at, again in self._gaps(step, ended):
            if began is not None and at >= began:
                spans.append(Span(began, at, "cut", len(spans) + 1))
                began = again
        if began is not None:
            spans.append(Span(began, ended, step.outcome, len(spans) + 1))
        return spans

    def times_cut(self, step: Step) -> int:
        """How many runs of a step were cut off."""
        return sum(span.outcome == "cut" for span in self.spans(step))

    def _gaps(self, step: Step, ended: float | None) -> list[tuple[float, float | None]]:
        """The times in which a step could not run, by the logs, or because its app was gone."""
        if step.kind != "activity":
            return []
        key = (step.app_id, step.instance_id, step.number)
        gaps = [(c.at, c.again) for c in self._cuts.get(key, [])]
        # A sidecar that was killed logs nothing, but no result can pass it. What a lost worker
        # ran is in the log: a call that waited in line was not cut.
        gaps += [
            (d.start, d.end) for d in self.down if d.app_id == step.app_id and d.part != "worker"
        ]
        # Nothing that began after the end of the step, and no gap that the result has passed.
        return [(a, b) for a, b in _merged(gaps) if ended is None or (b or ended + 1) <= ended]


def during(history: RunHistory, down: Iterable[DownTime], last: float) -> list[DownTime]:
    """Return the times down that fall into the time from the first event to ``last``.

    One that began before the run, as when it was started while no worker was there, is cut to it:
    all times of a picture count from the first event.
    """
    first = min(e.time.timestamp() for e in history.all_events)
    return [
        d if d.start >= first else _Within(d.app_id, d.part, first, d.end)
        for d in down
        if d.start < last and (d.end is None or d.end > first)
    ]


def seconds(moment: datetime) -> float:
    """Return a moment as seconds since the epoch."""
    return moment.timestamp()


def _merged(gaps: list[tuple[float, float | None]]) -> list[tuple[float, float | None]]:
    merged: list[tuple[float, float | None]] = []
    for start, end in sorted(gaps, key=lambda g: g[0]):
        if merged and (merged[-1][1] is None or start <= merged[-1][1]):
            before = merged[-1][1]
            later = None if before is None or end is None else max(before, end)
            merged[-1] = (merged[-1][0], later)
        else:
            merged.append((start, end))
    return merged


def _names(run: RunHistory, own: Iterable[Step]) -> Iterable[tuple[tuple[str, str, int], str]]:
    inputs = {e.event_id: e.argument for e in run.events if e.input is not None}
    alike: dict[tuple[str, str, str], list[Step]] = {}
    for step in own:
        if step.kind in ("activity", "child"):
            alike.setdefault((step.kind, step.app_id, step.name), []).append(step)
    for steps in alike.values():
        if 1 < len(steps) <= MANY:
            forms = short_forms([inputs.get(s.number) for s in steps])
            for step, form in zip(steps, forms, strict=True):
                name = f"{step.name} {form}".rstrip()
                yield (step.caller, step.instance_id, step.number), name
