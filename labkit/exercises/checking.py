"""Runs the steps of a check against the running lab, and makes the verdict.

A check reads history, metadata, placement, logs, ledgers and the inbox. Learner code runs in
processes of its own and is never loaded here, so it cannot hang or corrupt a verdict. A question
that has no answer makes the verdict *unknown*, with the reason.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import grpc
import httpx

from labkit import progress
from labkit.attached import Attached
from labkit.errors import AuthoringError, LabError
from labkit.exercises.catalogue import Exercise, load
from labkit.verdict import Outcome, Row, Verdict

SHOWN = 300
"""Longest observation that is printed, in characters."""


class WrongCheck(AuthoringError):
    """The ``check.py`` of an exercise is not usable."""

    code = "wrong-check"


@dataclass(frozen=True)
class Step:
    """One thing to check.

    Attributes:
        observe: asks the system; its answer is compared with ``expected``.
        holds: tells whether an answer is good; None means that it equals ``expected``.
    """

    id: str
    checked: str
    expected: Any
    observe: Callable[[], Any]
    look_at: str
    holds: Callable[[Any], bool] | None = None


Steps = Callable[[Attached], Iterator[Step]]


def check(id: str) -> Verdict:
    """Look at the running lab of an exercise; note the verdict and return it.

    Raises:
        NoSuchExercise: no exercise has this id.
    """
    exercise = load(id)
    verdict = look(exercise)
    stopped = verdict.stopped_at
    progress.note(
        "verdict",
        id,
        lesson=exercise.lesson,
        passed=verdict.passed,
        outcome=verdict.outcome,
        step=stopped.step if stopped else None,
    )
    return verdict


def look(exercise: Exercise) -> Verdict:
    """Return the verdict without noting it."""
    rows: list[Row] = []
    try:
        seen = Attached(exercise.run_file)
    except LabError as problem:
        return Verdict(exercise.id, (_unknown("lab", "the lab of this exercise runs", problem),))
    try:
        for step in _steps_of(exercise)(seen):
            rows.append(_row(step, seen))
            if rows[-1].outcome != "passed":
                break
    except LabError as problem:  # what the steps are about cannot be found
        told = _unknown("lab", "the scenario was played in this lab", problem)
        rows.append(_with_the_dead(told, seen))
    finally:
        seen.close()
    return Verdict(exercise.id, tuple(rows))


def _row(step: Step, seen: Attached) -> Row:
    try:
        observed = step.observe()
        good = step.holds(observed) if step.holds else observed == step.expected
    except LabError as problem:
        told = _unknown(step.id, step.checked, problem, str(step.expected))
        return _with_the_dead(told, seen)
    except (grpc.RpcError, httpx.HTTPError, KeyError, TypeError, ValueError) as problem:
        # The system answered in a shape that no step expects: that is no verdict either.
        observed = f"{type(problem).__name__}: {problem}"
        return _filled(step, observed, "unknown")
    return _filled(step, str(observed), "passed" if good else "failed")


def _filled(step: Step, observed: str, outcome: Outcome) -> Row:
    shown = observed if len(observed) <= SHOWN else observed[:SHOWN].rpartition(" ")[0] + " …"
    return Row(step.id, step.checked, str(step.expected), shown, step.look_at, outcome)


def _unknown(step: str, checked: str, problem: LabError, expected: str = "an answer") -> Row:
    told = f"no answer: {problem.title}. {problem.found}"[:SHOWN]
    return Row(step, checked, expected, told, f"{problem.look_at}; {problem.fix}", "unknown")


def _with_the_dead(row: Row, seen: Attached) -> Row:
    """Put before a question without an answer which services have ended, and their last words."""
    for app in seen.ended_services():
        last = app.logs("worker").strip().rpartition("\n")[2]
        log = seen.folder / "logs" / f"{app.app_id}.worker.log"
        told = f"{app.app_id} has ended; the last line of its log: {last}. {row.observed}"
        return replace(row, observed=told[:SHOWN], look_at=f"{log}; then run the scenario again")
    return row


def _steps_of(exercise: Exercise) -> Steps:
    file = exercise.folder / "check.py"
    spec = importlib.util.spec_from_file_location(f"check_{exercise.id}", file)
    if spec is None or spec.loader is None or not file.exists():
        raise WrongCheck(
            f"{exercise.id} has no check",
            asked=str(file),
            found="no such file",
            look_at="docs/authoring.md",
            fix="write a function steps(lab) that yields Step",
        )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    steps: Steps = module.steps
    return steps
