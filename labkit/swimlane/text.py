"""The picture in words: a table with times, and a summary that is the same in every run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from labkit.history import RunHistory, Step
from labkit.swimlane.layout import DownTime

RETRY_TIMERS = ("activityRetry", "childWorkflowRetry")


def table(history: RunHistory, down: Sequence[DownTime] = ()) -> str:
    """Return one row per step: start and length relative to the start, app, step, outcome."""
    zero = min(e.time for e in history.all_events)
    rows = [("start", "took", "app", "step", "outcome")]
    rows.append(_row(zero, history.events[0].time, None, history.app_id, history.name, ""))
    for step in history.steps():
        depth = _depth(history, step)
        name = "  " * depth + step.name
        rows.append(_row(zero, step.began, step.seconds, step.app_id, name, _outcome(step)))
    for time in down:
        start = datetime.fromtimestamp(time.start, zero.tzinfo)
        took = time.end - time.start if time.end else None
        rows.append(_row(zero, start, took, time.app_id, f"({time.part} down)", ""))
    rows.append(("", "", history.app_id, history.name, history.status))
    for missing in history.missing:
        rows.append(("", "", missing.app_id, missing.instance_id, f"unknown: {missing.reason}"))
    widths = [max(len(r[i]) for r in rows) for i in range(4)]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(r, widths, strict=False)) + "  " + r[4] for r in rows
    ).replace(" \n", "\n")


def summary(history: RunHistory) -> str:
    """Return the steps in the order of the workflow's code, without times and ids."""
    head = f"{history.name} on {history.app_id}: {history.status}"
    return "\n".join([head, *_below(history, 1)])


def _below(run: RunHistory, depth: int) -> list[str]:
    lines: list[str] = []
    children = {(c.app_id, c.instance_id): c for c in run.children}
    for step, times in _grouped(run):
        where = f" on {step.app_id}" if step.is_remote else ""
        count = f" × {times}" if times > 1 else ""
        lines.append(f"{'  ' * depth}{step.name}{where}{count}: {_outcome(step)}")
        child = children.get((step.app_id, step.child_instance_id or ""))
        if child is not None and times == 1:
            lines += _below(child, depth + 1)
    return lines


def _grouped(run: RunHistory) -> list[tuple[Step, int]]:
    """Return steps that follow each other and read alike as one, with their number."""
    steps = [s for s in run.own_steps() if s.timer_for not in RETRY_TIMERS]
    ordered = sorted(steps, key=lambda s: s.number if s.number >= 0 else 10**6)
    groups: list[tuple[Step, int]] = []
    for step in ordered:
        if groups and _alike(groups[-1][0], step):
            groups[-1] = (groups[-1][0], groups[-1][1] + 1)
        else:
            groups.append((step, 1))
    return groups


def _alike(one: Step, two: Step) -> bool:
    same = (one.kind, one.name, one.app_id, _outcome(one))
    return same == (two.kind, two.name, two.app_id, _outcome(two)) and one.kind == "activity"


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
    zero: datetime, began: datetime, took: float | None, app: str, name: str, outcome: str
) -> tuple[str, str, str, str, str]:
    start = f"{(began - zero).total_seconds():.3f} s"
    return start, f"{took:.3f} s" if took is not None else "", app, name, outcome
