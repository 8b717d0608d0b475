"""What checks observe of workflows that wait for people: events at their moments, and who heard.

Times are no evidence here: the history says what came in which turn, however slow a machine is.
"""

from __future__ import annotations

from collections.abc import Callable

from labkit.exercises.cases import Case
from labkit.exercises.observations import came_true, missed
from labkit.history import HistoryEvent
from labkit.waiting import patience

MOST = 3.0
SOON_SECONDS = 1.0
"""Whoever looks for an event again and again, with so short a pause, does hear it."""


def stretched(*seconds: float) -> list[float]:
    """Return times for waits of a second lab, longer on a machine that is busy or slow."""
    factor = max(1.0, min(patience() / 2, MOST))
    return [factor * one for one in seconds]


def each_at_its_moment(
    *plans: tuple[Callable[[], object], Callable[[], object]], within: float
) -> None:
    """Do each of some things as soon as its moment has come, whichever that is first.

    Args:
        plans: pairs of a moment, which is asked until it is true, and what is done then.
        within: on a usual machine; what has not had its moment then is not done.
    """
    left = list(plans)

    def all_done() -> bool:
        for plan in [*left]:
            moment, act = plan
            if moment():
                act()
                left.remove(plan)
        return not left

    came_true(all_done, within * patience())


def unheard(case: Case, reaction: Callable[[HistoryEvent], bool]) -> str:
    """Say that a workflow reacted to an event only when a timer had fired; "" when it heard it.

    Args:
        reaction: whether an event of the history is what the workflow did then.

    Raises:
        MomentMissed: the event came with the end of the wait, or never.
    """
    raised = [e.time for e in case.history.events if e.kind == "eventRaised"]
    turn = _turn(case, reaction)
    kinds = {e.kind for e in turn}
    if not raised or {"timerFired", "eventRaised"} <= kinds:
        raise missed("an event while it is waited for", "its time was over")
    if "timerFired" not in kinds or "taskCompleted" in kinds:
        return ""
    waited = (turn[-1].time - raised[-1]).total_seconds()
    return f"only when a timer had fired, {waited:.1f} s later" if waited > SOON_SECONDS else ""


def ends(event: HistoryEvent) -> bool:
    """Whether an event is the end of a workflow: a reaction for :func:`unheard`."""
    return event.kind == "executionCompleted"


def calls(name: str, field: str, words: str) -> Callable[[HistoryEvent], bool]:
    """Return a reaction for :func:`unheard`: a call of an activity, with words in such a field."""

    def is_one(event: HistoryEvent) -> bool:
        given = event.argument if event.kind == "taskScheduled" and event.name == name else None
        return isinstance(given, dict) and words in str(given.get(field))

    return is_one


def _turn(case: Case, reaction: Callable[[HistoryEvent], bool]) -> list[HistoryEvent]:
    """Return what came in the turn in which the workflow reacted; nothing when it did not."""
    turn: list[HistoryEvent] = []
    for event in case.history.events:
        if reaction(event):
            return turn
        if event.kind == "workflowStarted":
            turn = []
        elif event.kind in ("eventRaised", "taskCompleted", "timerFired"):
            turn.append(event)
    return []
