"""Where everything of the picture lies, in pixels; draws nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from labkit.history import KINDS, UNDER_WAY, HistoryEvent, RunHistory, Step
from labkit.swimlane.account import MANY, Account, DownTime, Ending, Span, seconds
from labkit.swimlane.measure import width_of

WIDTH, LEFT, RIGHT = 880.0, 16.0, 24.0
ROW, GAP, HEAD, PAD = 22.0, 6.0, 28.0, 8.0
BAND_ROW = 17.0
THIN, TORN, SYMBOL = 4.0, 9.0, 10.0
"""Least width of a bar, least width of a bar that was cut off, width of a symbol."""

Shape = Literal["workflow", "activity", "timer", "event", "mark"]


@dataclass(frozen=True)
class Mark:
    """A bar or a symbol with its label.

    Attributes:
        caller: index of the lane that an arrow comes from, or None.
        inside: whether the label lies on the bar.
    """

    shape: Shape
    label: str
    outcome: Ending
    x: float
    y: float
    width: float
    label_x: float
    caller: int | None
    inside: bool


@dataclass(frozen=True)
class Band:
    """A time in which no worker of an app was connected, with the row of its label."""

    label: str
    x: float
    width: float
    label_x: float
    row: int


@dataclass(frozen=True)
class Lane:
    """One app: its place, its marks and the times it was down; ``floor`` is where marks end."""

    app_id: str
    y: float
    height: float
    floor: float
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
    outcome: Ending
    app_id: str
    began: float
    ended: float
    caller: str | None
    step: tuple[str, str, int] | None = None
    """Of an activity, which call it is: its runs share a row where there is room."""


def laid_out(account: Account) -> Picture:
    """Return where everything lies."""
    items = _items(account)
    zero = min(i.began for i in items)
    end = max(i.ended for i in items)
    app_ids = account.history.app_ids
    scale = _Scale(zero, max(end - zero, 0.001))
    lanes: list[Lane] = []
    top = 8.0
    for app_id in app_ids:
        mine = [i for i in items if i.app_id == app_id]
        down = [d for d in account.down if d.app_id == app_id]
        lanes.append(_lane(app_id, top, mine, down, scale, app_ids))
        top += lanes[-1].height + 6
    apps = "1 app" if len(app_ids) == 1 else f"{len(app_ids)} apps"
    title = f"{account.history.name}: {account.history.status_words}, {apps}"
    return Picture(title, tuple(lanes), scale.seconds, top)


@dataclass(frozen=True)
class _Scale:
    zero: float
    seconds: float

    def x(self, moment: float) -> float:
        share = (moment - self.zero) / self.seconds
        return LEFT + min(max(share, 0.0), 1.0) * (WIDTH - LEFT - RIGHT)


class _Rows:
    """Rows of which each is filled from left to right; says into which row something fits."""

    def __init__(self) -> None:
        self._ends: list[float] = []
        self._row_of: dict[object, int] = {}

    def __len__(self) -> int:
        return len(self._ends)

    def place(self, left: float, right: float, key: object = None) -> int:
        """Return a row with room from ``left`` on, and take it up to ``right``.

        It is the row that was taken before with the same ``key``, else the first.
        """
        free = [r for r, end in enumerate(self._ends) if end + 8 <= left]
        before = self._row_of.get(key)
        row = before if before in free else next(iter(free), len(self._ends))
        assert row is not None
        self._ends[row : row + 1] = [right]
        if key is not None:
            self._row_of[key] = row
        return row


def _lane(
    app_id: str,
    top: float,
    items: list[_Item],
    down: list[DownTime],
    scale: _Scale,
    app_ids: list[str],
) -> Lane:
    rows = _Rows()
    ordered = sorted(items, key=lambda i: (i.shape != "workflow", i.began, i.label))
    marks = tuple(_mark(i, top, rows, scale, app_ids) for i in ordered)
    floor = top + HEAD + max(len(rows), 1) * (ROW + GAP)
    bands = tuple(_bands(down, scale))
    labels = max((b.row for b in bands), default=-1) + 1
    height = floor + labels * BAND_ROW + PAD - GAP - top
    return Lane(app_id, top, height, floor, marks, bands)


def _mark(item: _Item, top: float, rows: _Rows, scale: _Scale, app_ids: list[str]) -> Mark:
    x = scale.x(item.began)
    width = _width(item, scale.x(item.ended) - x)
    left, right, label_x = _place_label(item, x, width)
    y = top + HEAD + rows.place(left, right, item.step) * (ROW + GAP)
    crossed = item.caller if item.caller and item.caller != item.app_id else None
    caller = app_ids.index(crossed) if crossed in app_ids else None
    inside = x < label_x < x + width
    return Mark(item.shape, item.label, item.outcome, x, y, width, label_x, caller, inside)


def _width(item: _Item, natural: float) -> float:
    if item.shape not in ("workflow", "activity"):
        return SYMBOL
    return max(natural, TORN if item.outcome == "cut" else THIN)


def _place_label(item: _Item, x: float, width: float) -> tuple[float, float, float]:
    """Return the left and right end of mark and label together, and where the label starts."""
    text = width_of(item.label)
    after = x + width + (10 if item.outcome == "failed" else 6)  # beside the cross
    if text + 18 <= width:
        return x, x + width, x + 7
    before = x - 6 - text
    # What was cut off is followed by a hatched band, so its label lies before it.
    if after + text <= WIDTH - 6 and not (item.outcome == "cut" and before >= LEFT):
        return x, after + text, after
    start = max(before, 4.0)  # a label that has room on neither side lies over its own mark
    return start, max(x + width + 5, start + text), start


def _bands(down: list[DownTime], scale: _Scale) -> Iterable[Band]:
    rows = _Rows()
    for parts, start, end in _together(down):
        x = scale.x(start)
        right = scale.x(end if end is not None else scale.zero + scale.seconds)
        label = f"{' and '.join(parts)} down"
        text = width_of(label)
        label_x = min(max(x + (right - x - text) / 2, LEFT), WIDTH - 8 - text)
        yield Band(label, x, max(right - x, THIN), label_x, rows.place(label_x, label_x + text))


def _together(down: list[DownTime]) -> list[tuple[list[str], float, float | None]]:
    """The times in which something was down, with all that was; those that overlap as one."""
    found: list[tuple[list[str], float, float | None]] = []
    for d in sorted(down, key=lambda d: (d.start, d.part)):
        if found and (found[-1][2] is None or d.start <= found[-1][2]):
            parts, start, end = found[-1]
            later = None if end is None or d.end is None else max(end, d.end)
            found[-1] = (list(dict.fromkeys([*parts, d.part])), start, later)
        else:
            found.append(([d.part], d.start, d.end))
    return found


def _items(account: Account) -> list[_Item]:
    found: list[_Item] = []
    for run in account.history.walk():
        running = run.status in UNDER_WAY
        name = account.name_of_run(run)
        words = run.status_words.removeprefix("COMPLETED").removeprefix(", ")
        label = f"{name} ({words})" if words else name
        outcome: Ending = "running" if running else _ENDED.get(run.status, "failed")
        began = seconds(run.events[0].time)
        end = account.last if running else seconds(run.events[-1].time)
        parent = _caller_of(account.history, run)
        found.append(_Item("workflow", label, outcome, run.app_id, began, end, parent))
        found += _calls(account, run)
        found += [_marked(run, event) for event in run.marks]
    return found


_ENDED: dict[str, Ending] = {"COMPLETED": "completed"}


def _marked(run: RunHistory, event: HistoryEvent) -> _Item:
    """What happened to the workflow as a whole: suspended, resumed, stalled, terminated."""
    at, word = seconds(event.time), KINDS[event.kind].word
    outcome: Ending = "failed" if word == "terminated" else "running"
    return _Item("mark", word, outcome, run.app_id, at, at, None)


def _caller_of(history: RunHistory, run: RunHistory) -> str | None:
    for parent in history.walk():
        if any(child is run for child in parent.children):
            return parent.app_id
    return None


def _calls(account: Account, run: RunHistory) -> list[_Item]:
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
        if len(steps) > MANY:
            found.append(_group(account, steps))
        else:
            found += [item for s in steps for item in _each(account, s)]
    return found


def _each(account: Account, step: Step) -> Iterable[_Item]:
    """One item for each run of a step; only the first is a call that crosses apps."""
    shape = _shape(step)
    for span in account.spans(step):
        ended = span.ended if span.ended is not None else account.last
        began = ended if shape == "timer" and step.ended else span.began  # where it fired
        label = _label(account.name(step), step, span)
        caller = step.caller if span.run == 1 else None
        key = (step.caller, step.instance_id, step.number) if shape == "activity" else None
        yield _Item(shape, label, span.outcome, step.app_id, began, ended, caller, key)


def _label(name: str, step: Step, span: Span) -> str:
    words = [f"try {step.attempt}"] if step.attempt > 1 else []
    words += [f"run {span.run}"] if span.run > 1 else []
    if span.outcome == "cut":
        words.append("cut off")
    elif span.outcome != "completed":
        words.append(span.outcome if step.kind != "timer" else "not fired")
    return f"{name} ({', '.join(words)})" if words else name


def _shape(step: Step) -> Shape:
    if step.kind in ("activity", "child"):
        return "activity"
    return "timer" if step.kind == "timer" else "event"


def _group(account: Account, steps: list[Step]) -> _Item:
    counts = {o: sum(s.outcome == o for s in steps) for o in ("completed", "failed", "running")}
    words = [f"{n} {o}" for o, n in counts.items() if n]
    cut = sum(account.times_cut(s) for s in steps)
    words += [f"{cut} cut off and run again"] if cut else []
    worst: Ending = "failed" if counts["failed"] else "running"
    first = steps[0]
    return _Item(
        _shape(first),
        f"{first.name} × {len(steps)} ({', '.join(words)})",
        "completed" if counts["completed"] == len(steps) else worst,
        first.app_id,
        min(seconds(s.began) for s in steps),
        max(seconds(s.ended) if s.ended else account.last for s in steps),
        first.caller,
    )


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
