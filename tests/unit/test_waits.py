"""Who heard an event, by what came in the turn in which a workflow reacted."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest

from labkit.exercises import waits
from labkit.exercises.observations import MomentMissed
from labkit.history import HistoryEvent

BEGAN = datetime(2026, 1, 1, tzinfo=timezone.utc)
ASSIGNED = waits.calls("assign_task", "assignee", "morgan@example.com")


def case(*kinds_at):
    """A case whose history holds these kinds of events, so many seconds after its beginning."""
    events = [
        HistoryEvent(
            "app",
            "order",
            number,
            kind,
            BEGAN + timedelta(seconds=seconds),
            name="assign_task" if kind == "taskScheduled" else None,
            input='{"assignee": "morgan@example.com"}' if kind == "taskScheduled" else None,
        )
        for number, (kind, seconds) in enumerate(kinds_at)
    ]
    return SimpleNamespace(history=SimpleNamespace(events=events))


def turn(at, *kinds):
    return [("workflowStarted", at), *((kind, at) for kind in kinds)]


def test_a_workflow_that_reacts_in_the_turn_of_the_event_has_heard_it():
    heard = case(*turn(1, "eventRaised", "taskScheduled"), *turn(2, "timerFired"))
    assert waits.unheard(heard, ASSIGNED) == ""


def test_an_event_that_came_early_is_heard_when_the_step_before_is_done():
    kept = case(*turn(1, "eventRaised"), *turn(9, "timerFired"), *turn(9, "taskCompleted"))
    kept.history.events += case(("executionCompleted", 9)).history.events
    assert waits.unheard(kept, waits.ends) == ""


def test_a_workflow_that_wakes_up_by_a_timer_has_not_heard_the_event():
    slept = case(*turn(1, "eventRaised"), *turn(4, "timerFired", "taskScheduled"))
    assert waits.unheard(slept, ASSIGNED) == "only when a timer had fired, 3.0 s later"


def test_whoever_looks_again_and_again_hears_it():
    looks = case(*turn(1, "eventRaised"), *turn(1.5, "timerFired", "taskScheduled"))
    assert waits.unheard(looks, ASSIGNED) == ""


def test_what_never_reacted_is_for_others_to_say():
    assert waits.unheard(case(*turn(1, "eventRaised"), *turn(4, "timerFired")), ASSIGNED) == ""


@pytest.mark.parametrize("kinds", [["timerFired"], ["eventRaised", "timerFired"]])
def test_an_event_that_came_with_the_end_of_the_wait_or_never_says_nothing(kinds):
    with pytest.raises(MomentMissed):
        waits.unheard(case(*turn(4, *kinds, "taskScheduled")), ASSIGNED)


def test_waits_are_longer_on_a_slow_machine(monkeypatch):
    for slow, factor in ((1.0, 1.0), (2.0, 1.0), (4.0, 2.0), (15.0, waits.MOST)):
        monkeypatch.setattr(waits, "patience", lambda slow=slow: slow)
        assert waits.stretched(2.0, 3.0) == [2.0 * factor, 3.0 * factor]


def test_each_thing_is_done_once_at_its_moment_whichever_is_first():
    done, answers = [], iter([False, False, True])
    waits.each_at_its_moment(
        (lambda: next(answers), lambda: done.append("second")),
        (lambda: True, lambda: done.append("first")),
        within=5,
    )
    assert done == ["first", "second"]
