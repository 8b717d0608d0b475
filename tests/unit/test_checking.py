"""The engine of checks: what becomes failed, what becomes unknown, and that nothing escapes."""

from __future__ import annotations

import sqlite3

import grpc
import pytest

from labkit.course.verdict import Verdict
from labkit.errors import ObservationError
from labkit.exercises.checking import SHOWN, _rows
from labkit.exercises.observations import Check


def asked(observe, **more):
    return Check("one", "one thing", "good", observe, "somewhere", **more)


def raising(problem):
    def observe():
        raise problem

    return observe


def outcome(observe, **more):
    return _rows(iter([asked(observe, **more)]), None)[-1]


def test_an_answer_is_compared_and_the_first_that_does_not_hold_ends_the_check():
    rows = _rows(iter([asked(lambda: "good"), asked(lambda: "bad"), asked(lambda: "good")]), None)
    assert [r.outcome for r in rows] == ["passed", "failed"]
    assert rows[-1].observed == "bad"


@pytest.mark.parametrize(
    "problem", [IndexError("x"), KeyError("x"), StopIteration(), TypeError("x"), ValueError("x")]
)
def test_an_answer_that_nobody_expects_is_a_wrong_answer_and_no_traceback(problem):
    row = outcome(raising(problem))
    assert row.outcome == "failed"
    assert "another form" in row.observed
    assert type(problem).__name__ in row.observed


@pytest.mark.parametrize(
    "problem",
    [
        grpc.RpcError("down"),
        OSError("no route"),
        sqlite3.OperationalError("locked"),
        ObservationError("silent", asked="a", found="b", look_at="c", fix="d"),
    ],
)
def test_nobody_answered_is_unknown_and_never_failed(problem):
    assert outcome(raising(problem)).outcome == "unknown"


def test_a_check_that_breaks_between_two_questions_still_gives_a_verdict():
    def steps(problem):
        yield asked(lambda: "good")
        raise problem

    for problem, expected in ((IndexError("x"), "failed"), (OSError("x"), "unknown")):
        rows = _rows(steps(problem), None)
        assert [r.outcome for r in rows] == ["passed", expected]


def test_what_the_scenario_is_to_blame_for_is_unknown():
    assert outcome(lambda: "bad", otherwise="unknown").outcome == "unknown"


def test_a_long_answer_is_cut_between_words():
    row = outcome(lambda: "many words " * 100)
    assert len(row.observed) <= SHOWN + 2
    assert row.observed.endswith("words …") or row.observed.endswith("many …")


def test_a_verdict_says_which_lab_a_row_is_about():
    from dataclasses import replace

    own = outcome(lambda: "good")
    second = replace(outcome(lambda: "bad"), where="second lab")
    verdict = Verdict("move-the-mail", (own, second))
    text = repr(verdict)
    assert text.index("in your lab:") < text.index("in a second lab")
    assert verdict.stopped_at is second
    assert "second lab" in verdict._repr_html_()
