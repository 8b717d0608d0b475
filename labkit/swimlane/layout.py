"""Where everything of the picture lies, in pixels; draws nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from labkit.history import RunHistory, Step

WIDTH, LEFT, RIGHT = 880.0, 16.0, 24.0
ROW, GAP, HEAD, PAD = 20.0, 5.0, 22.0, 8.0
CHAR = 6.3
"""Width of a character at 11 px, generous, so that labels never overlap."""
MANY = 8
"""More calls of one activity than this from one workflow are drawn as one bar with a count."""

Shape = Literal["workflow", "activity", "timer", "event"]


class DownTime(Protocol):
    """A time in which a part of an app did not run."""

    @property
    def app_id(self) -> str: ...
    @property
    def part(self) -> str: ...
    @property
    def start(self) -> float: ...
    @property
    def end(self) -> float | None: ...


@dataclass(frozen=True)
class Mark:
    """A bar or a symbol with its label.

    Attributes:
        caller: index of the lane that an arrow comes from, or None.
    """

    shape: Shape
    label: str
    outcome: str
    x: float
    y: float
    width: float
    label_x: float
    caller: int | None


@dataclass(frozen=True)
class Band:
    """A time in which a part of an app was down."""

    label: str
    x: float
    width: float


@dataclass(frozen=True)
class Lane:
    """One app: its place, its marks and the times it was down."""

    app_id: str
    y: float
    height: float
    marks: tuple[Mark, ...]
    bands: tuple[Band, ...]


@dataclass(frozen=True)
class Picture:
    """All lanes and the time axis; ``seconds`` is the length of the axis."""

    title: str
    lanes: tuple[Lane, ...]
    seconds: float
    height: float


@dataclass(frozen=True)
class _Item:
    shape: Shape
    label: str
    outcome: str
    app_id: str
    began: float
    ended: float
    caller: str | None


def laid_out(history: RunHistory, down: Sequence[DownTime]) -> Picture:
    """Return where everything lies."""
    items = _items(history)
    zero = min(i.began for i in items)
    end = max(i.ended for i in items)
    app_ids = history.app_ids
    inside = [d for d in down if d.app_id in app_ids]
    scale = _Scale(zero, max(end - zero, 0.001))
    lanes: list[Lane] = []
    top = 8.0
    for app_id in app_ids:
        mine = [i for i in items if i.app_id == app_id]
        lane = _lane(app_id, top, mine, [d for d in inside if d.app_id == app_id], scale, app_ids)
        lanes.append(lane)
        top += lane.height + 6
    title = f"{history.name}: {history.status}, {len(app_ids)} apps"
    return Picture(title, tuple(lanes), scale.seconds, top)


@dataclass(frozen=True)
class _Scale:
    zero: float
    seconds: float

    def x(self, moment: float) -> float:
        share = (moment - self.zero) / self.seconds
        return LEFT + min(max(share, 0.0), 1.0) * (WIDTH - LEFT - RIGHT)


def _lane(
    app_id: str,
    top: float,
    items: list[_Item],
    down: list[DownTime],
    scale: _Scale,
    app_ids: list[str],
) -> Lane:
    marks: list[Mark] = []
    row_ends: list[float] = []
    for item in sorted(items, key=lambda i: (i.shape != "workflow", i.began, i.label)):
        x = scale.x(item.began)
        width = max(scale.x(item.ended) - x, 4.0) if item.shape in _BARS else 10.0
        text = len(item.label) * CHAR
        left, right, label_x = _place_label(x, width, text)
        row = next((r for r, e in enumerate(row_ends) if e + 6 <= left), len(row_ends))
        row_ends[row:] = [right] if row == len(row_ends) else [right, *row_ends[row + 1 :]]
        y = top + HEAD + row * (ROW + GAP)
        crossed = item.caller if item.caller and item.caller != app_id else None
        caller = app_ids.index(crossed) if crossed in app_ids else None
        marks.append(Mark(item.shape, item.label, item.outcome, x, y, width, label_x, caller))
    bands = tuple(
        Band(
            f"{d.part} down",
            scale.x(d.start),
            max(scale.x(d.end if d.end else scale.zero + scale.seconds) - scale.x(d.start), 3.0),
        )
        for d in down
    )
    extra = 14.0 if bands else 0.0
    height = HEAD + max(len(row_ends), 1) * (ROW + GAP) + PAD + extra
    return Lane(app_id, top, height, tuple(marks), bands)


_BARS = ("workflow", "activity")


def _place_label(x: float, width: float, text: float) -> tuple[float, float, float]:
    """Return the left and right end of mark and label together, and where the label starts."""
    if text + 10 <= width:
        return x, x + width, x + 6
    if x + width + 5 + text <= WIDTH - 4:
        return x, x + width + 5 + text, x + width + 5
    start = max(x - 5 - text, 2.0)
    return start, x + width, start


def _items(history: RunHistory) -> list[_Item]:
    found: list[_Item] = []
    last = max(e.time for e in history.all_events)
    for run in history.walk():
        ended = run.events[-1].time if run.status not in ("RUNNING", "SUSPENDED") else last
        parent = _caller_of(history, run)
        label = run.name if run.status == "COMPLETED" else f"{run.name} ({run.status})"
        outcome = {"COMPLETED": "completed", "RUNNING": "running"}.get(run.status, "failed")
        began, end = _s(run.events[0].time), _s(ended)
        found.append(_Item("workflow", label, outcome, run.app_id, began, end, parent))
        found += _calls(run, _s(last))
    return found


def _caller_of(history: RunHistory, run: RunHistory) -> str | None:
    for parent in history.walk():
        if any(child is run for child in parent.children):
            return parent.app_id
    return None


def _calls(run: RunHistory, last: float) -> list[_Item]:
    groups: dict[tuple[str, str, str], list[Step]] = {}
    known = {(c.app_id, c.instance_id) for c in run.children}
    for step in run.own_steps():
        if step.kind == "child" and (step.app_id, step.child_instance_id) in known:
            continue  # drawn as the child's own bar
        if step.kind == "timer" and step.timer_for in ("activityRetry", "childWorkflowRetry"):
            continue  # the gap between two tries shows it
        groups.setdefault((step.kind, step.app_id, step.name), []).append(step)
    found = []
    for steps in groups.values():
        found += [_group(steps, last)] if len(steps) > MANY else [_one(s, last) for s in steps]
    return found


def _one(step: Step, last: float) -> _Item:
    words = [step.name]
    if step.attempt > 1:
        words.append(f"try {step.attempt}")
    if step.outcome != "completed":
        words.append(step.outcome if step.kind != "timer" else "not fired")
    shape: Shape = "activity" if step.kind in ("activity", "child") else _symbol(step.kind)
    ended = _s(step.ended) if step.ended else last
    began = ended if shape == "timer" and step.ended else _s(step.began)  # where it fired
    label = words[0] if len(words) == 1 else f"{words[0]} ({', '.join(words[1:])})"
    return _Item(shape, label, step.outcome, step.app_id, began, ended, step.caller)


def _symbol(kind: str) -> Shape:
    return "timer" if kind == "timer" else "event"


def _group(steps: list[Step], last: float) -> _Item:
    counts = {o: sum(s.outcome == o for s in steps) for o in ("completed", "failed", "running")}
    told = ", ".join(f"{n} {o}" for o, n in counts.items() if n)
    worst = next(o for o in ("failed", "running", "completed") if counts[o])
    first = steps[0]
    ended = max(_s(s.ended) if s.ended else last for s in steps)
    began = min(_s(s.began) for s in steps)
    label = f"{first.name} × {len(steps)} ({told})"
    shape: Shape = "activity" if first.kind in ("activity", "child") else _symbol(first.kind)
    return _Item(shape, label, worst, first.app_id, began, ended, first.caller)


def during(history: RunHistory, down: Iterable[DownTime]) -> list[DownTime]:
    """Return the down times that fall into the time of a run."""
    times = [_s(e.time) for e in history.all_events]
    return [d for d in down if d.start < max(times) and (d.end is None or d.end > min(times))]


def _s(moment: datetime) -> float:
    return moment.timestamp()


def nice_ticks(seconds: float, most: int = 8) -> Iterable[float]:
    """Return round times from 0 to ``seconds`` for the axis."""
    step = 0.001
    while seconds / step > most:
        for factor in (2, 5, 10):
            if seconds / (step * factor) <= most:
                step *= factor
                break
        else:
            step *= 10
    return [round(i * step, 6) for i in range(int(seconds / step) + 1)]
