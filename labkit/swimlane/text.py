"""The picture in words: a table with times, and a summary that is the same in every run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from labkit.history import KINDS, HistoryEvent, RunHistory, Step
from labkit.swimlane.account import Account, DownTime, Span

RETRY_TIMERS = ("activityRetry", "childWorkflowRetry")
Row = tuple[str, str, str, str, str]


def table(account: Account) -> str:
    """Return one row per run of a step: start and length, app, step, outcome; then times down."""
    history = account.history
    zero = min(e.time for e in history.all_events)
    rows: list[Row] = [("start", "took", "app", "step", "outcome")]
    rows.append(_row(zero, history.events[0].time.timestamp(), None, history.app_id, history.name))
    rows += (row for _, row in sorted(_timed(account, zero), key=lambda timed: timed[0]))
    rows.append(("", "", history.app_id, history.name, history.status_words))
    for missing in history.missing:
        rows.append(("", "", missing.app_id, missing.instance_id, f"unknown: {missing.reason}"))
    widths = [max(len(r[i]) for r in rows) for i in range(4)]
    lines = (
        "  ".join([*(c.ljust(w) for c, w in zip(r, widths, strict=False)), r[4]]) for r in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def summary(account: Account) -> str:
    """Return the steps in the order of the workflow's code, without times and ids."""
    history = account.history
    head = f"{history.name} on {history.app_id}: {history.status_words}"
    if history.stalled and history.stalled.description:
        head += f"\n  {history.stalled.description.strip()}"
    return "\n".join([head, *_below(account, history, 1)])


def _timed(account: Account, zero: datetime) -> Iterator[tuple[float, Row]]:
    """The rows of steps and of times down, each with its moment."""
    for step in account.history.steps():
        name = "  " * _depth(account.history, step) + account.name(step)
        for span in account.spans(step):
            yield span.began, _run(zero, step, name, span)
    for down in account.down:
        yield down.start, _down(zero, down)
    for run in account.history.walk():
        for event in run.marks:
            yield event.time.timestamp(), _mark(zero, account.name_of_run(run), event)


def _run(zero: datetime, step: Step, name: str, span: Span) -> Row:
    took = span.ended - span.began if span.ended is not None else None
    outcome = "cut off" if span.outcome == "cut" else _outcome(step)
    again = f", run {span.run}" if span.run > 1 else ""
    return _row(zero, span.began, took, step.app_id, name, outcome + again)


def _down(zero: datetime, down: DownTime) -> Row:
    took = down.end - down.start if down.end is not None else None
    until = "until a worker was connected again" if took is not None else "not back yet"
    return _row(zero, down.start, took, down.app_id, f"({down.part} down)", until)


def _mark(zero: datetime, name: str, event: HistoryEvent) -> Row:
    why = f"{event.reason}: {event.description}".strip() if event.reason else ""
    word = " ".join(w for w in (KINDS[event.kind].word, why) if w)
    return _row(zero, event.time.timestamp(), None, event.app_id, f"({name})", word)


def _below(account: Account, run: RunHistory, depth: int) -> Iterator[str]:
    children = {(c.app_id, c.instance_id): c for c in run.children}
    for step, words, times in _grouped(account, run):
        count = f" × {times}" if times > 1 else ""
        yield f"{'  ' * depth}{words.replace(': ', f'{count}: ', 1)}"
        child = children.get((step.app_id, step.child_instance_id or ""))
        if child is not None and times == 1:
            yield from _below(account, child, depth + 1)


def _grouped(account: Account, run: RunHistory) -> list[tuple[Step, str, int]]:
    """Return steps with their words; activities that read alike, one after another, as one."""
    steps = [s for s in run.own_steps() if s.timer_for not in RETRY_TIMERS]
    groups: list[tuple[Step, str, int]] = []
    for step in sorted(steps, key=lambda s: s.number if s.number >= 0 else 10**6):
        words = _words(account, step)
        if groups and step.kind == groups[-1][0].kind == "activity" and words == groups[-1][1]:
            groups[-1] = (*groups[-1][:2], groups[-1][2] + 1)
        else:
            groups.append((step, words, 1))
    return groups


def _words(account: Account, step: Step) -> str:
    where = f" on {step.app_id}" if step.is_remote else ""
    spans = account.spans(step)
    if spans[-1].outcome == "cut":
        told = "cut off, not back yet"
    elif len(spans) > 1:
        told = f"{_outcome(step)} in run {len(spans)}, cut off before"
    else:
        told = _outcome(step)
    return f"{account.name(step)}{where}: {told}"


def _outcome(step: Step) -> str:
    word: str = step.outcome
    if step.kind == "timer":
        word = "fired" if step.ended else "not fired"
    if step.kind == "event":
        word = "raised"
    tried = f", try {step.attempt}" if step.attempt > 1 else ""
    why = f" ({step.failure.error_type})" if step.failure and step.failure.error_type else ""
    return f"{word}{tried}{why}"


def _depth(history: RunHistory, step: Step) -> int:
    def level(run: RunHistory, depth: int) -> int | None:
        if run.instance_id == step.instance_id and run.app_id == step.caller:
            return depth
        found = (level(child, depth + 1) for child in run.children)
        return next((d for d in found if d is not None), None)

    return level(history, 1) or 1


def _row(
    zero: datetime, began: float, took: float | None, app: str, name: str, outcome: str = ""
) -> Row:
    start = f"{began - zero.timestamp():.3f} s"
    return start, f"{took:.3f} s" if took is not None else "", app, name, outcome
