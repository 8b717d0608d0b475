"""Runs the checks of an exercise and makes the verdict.

First the learner's own lab is looked at; when all holds there, the learner's files are started in a
second lab, with data that nobody knew (see :mod:`labkit.exercises.trial`). Learner code runs in
processes of its own and is never loaded here, so it cannot hang or corrupt a verdict. A question
without an answer makes the verdict *unknown*, with the reason; no exception leaves a check.

A ``check.py`` defines:

``wished(case)``
    yields a :class:`Check` for each wish of the text. It is asked twice: about the learner's
    instance ``order`` and about the one of the counter-scenario.
``steps(lab)``
    instead of ``wished`` on the learner's lab, where there is more than one instance.
``counter(trial)``
    instead of the usual counter-scenario, which orders the workflow of the exercise.
``CHANGED``, ``OTHERS``
    names of steps that need not be as before; the other workflows that must be (all by default).
"""

from __future__ import annotations

import importlib.util
import sqlite3
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from types import ModuleType

import grpc
import httpx

from labkit.course import progress
from labkit.course.verdict import Outcome, Row, Verdict
from labkit.errors import AuthoringError, LabError
from labkit.exercises import fresh
from labkit.exercises.cases import Case
from labkit.exercises.catalogue import Exercise, load
from labkit.exercises.observations import Check, as_before, ordered
from labkit.exercises.trial import Trial
from labkit.labs.attached import Attached

SHOWN = 300
"""Longest observation that is printed, in characters."""
SILENT = (grpc.RpcError, httpx.HTTPError, OSError, sqlite3.Error)
"""Nobody answered: no verdict. Any other exception is an answer in a form that nobody expects."""
UNFINISHED = ("RUNNING", "PENDING", "SUSPENDED")
"""Where something has ended, such a status is no answer."""


class WrongCheck(AuthoringError):
    """The ``check.py`` of an exercise is not usable."""

    code = "wrong-check"


def check(id: str = "") -> Verdict:
    """Look at the running lab of an exercise, note the verdict and return it.

    Args:
        id: of an exercise, or its number, e.g. ``"07.1"``.

    Raises:
        NoSuchExercise: no exercise has this id.
    """
    exercise = load(id)
    started = time.monotonic()
    verdict = look(exercise)
    try:
        _keep(exercise, verdict, round(time.monotonic() - started, 2))
    except LabError as problem:  # what was found out is worth more than its record
        notice = f"This verdict is not kept: {problem.title} ({problem.found}); {problem.fix}"
        return replace(verdict, notice=" ".join(filter(None, [verdict.notice, notice])))
    return verdict


def _keep(exercise: Exercise, verdict: Verdict, seconds: float) -> None:
    stopped = verdict.stopped_at
    progress.note(
        "verdict",
        exercise.id,
        lesson=exercise.lesson,
        passed=verdict.passed,
        outcome=verdict.outcome,
        step=stopped.step if stopped else None,
        seconds=seconds,
    )


def look(exercise: Exercise, *, counter: bool = True) -> Verdict:
    """Return the verdict without noting it.

    Args:
        counter: also run the counter-scenario when all else holds.
    """
    module = _module(exercise)
    rows, notice = _in_own_lab(exercise, module)
    if counter and all(row.outcome == "passed" for row in rows):
        rows += try_out(exercise, module)
    return Verdict(exercise.id, tuple(rows), notice)


def try_out(exercise: Exercise, module: ModuleType | None = None) -> list[Row]:
    """Return the rows of the counter-scenario alone, up to the first that does not pass."""
    module = module or _module(exercise)
    trial = Trial(exercise)
    try:
        with redirect_stdout(StringIO()):
            rows = _rows(_counter(module, trial), None)
    finally:
        trial.close()
    return [_from_second_lab(row, trial) for row in rows]


def _in_own_lab(exercise: Exercise, module: ModuleType) -> tuple[list[Row], str]:
    """Return the rows about the learner's lab, and which lab that is where there is a choice."""
    try:
        seen = Attached(exercise.run_file)
    except LabError as problem:
        return [_unknown("lab", "the lab of this exercise runs", problem)], ""
    try:
        if outdated := fresh.reason(exercise, seen):
            row = _unknown("lab", "the lab runs the files as they are now", outdated)
            return [row], seen.notice
        return _rows(_own(exercise, module, seen), seen), seen.notice
    finally:
        seen.close()


def _own(exercise: Exercise, module: ModuleType, seen: Attached) -> Iterator[Check]:
    if hasattr(module, "steps"):
        yield from module.steps(seen)
        return
    case = Case(seen, "order", exercise.workflow)
    yield ordered(case)
    yield from module.wished(case)
    yield from as_before(case, getattr(module, "CHANGED", ()))


def _counter(module: ModuleType, trial: Trial) -> Iterator[Check]:
    if hasattr(module, "counter"):
        yield from module.counter(trial)
    else:
        trial.lab()
        case = trial.order()
        yield from module.wished(case)
        yield from as_before(case, getattr(module, "CHANGED", ()))
    yield from trial.others(getattr(module, "OTHERS", None))
    yield from trial.rejected()


# --- rows -------------------------------------------------------------------------------------


def _rows(checks: Iterator[Check], seen: Attached | None) -> list[Row]:
    """Ask one question after the other, up to the first that does not hold."""
    rows: list[Row] = []
    try:
        for one in checks:
            rows.append(_row(one, seen))
            if rows[-1].outcome != "passed":
                break
    except LabError as problem:  # what the questions are about cannot be found
        row = _unknown("lab", "the scenario was run in this lab", problem)
        rows.append(_with_the_ended(row, seen))
    except SILENT as problem:
        rows.append(_row(_raising(problem, "unknown"), seen))
    except Exception as problem:
        rows.append(_row(_raising(problem, "failed"), seen))
    return rows


def _row(one: Check, seen: Attached | None) -> Row:
    try:
        observed = one.observe()
        good = one.holds(observed) if one.holds else observed == one.expected
    except LabError as problem:
        row = _unknown(one.id, one.checked, problem, str(one.expected))
        return _with_the_ended(row, seen)
    except SILENT as problem:
        return _with_the_ended(_filled(one, _named(problem), "unknown"), seen)
    except Exception as problem:
        return _filled(one, f"an answer of another form ({_named(problem)})", "failed")
    return _with_the_ended(_filled(one, str(observed), "passed" if good else one.otherwise), seen)


def _raising(problem: Exception, outcome: Outcome) -> Check:
    """A check for what could not even be asked."""
    told = _named(problem) if outcome == "unknown" else f"another form ({_named(problem)})"
    return Check(
        "lab", "the scenario was run in this lab", "an answer", lambda: told,
        "lab.status(), and the history of the workflow", lambda _: False, outcome,
    )  # fmt: skip


def _named(problem: Exception) -> str:
    return f"{type(problem).__name__}: {problem}"


def _filled(one: Check, observed: str, outcome: Outcome) -> Row:
    return Row(one.id, one.checked, str(one.expected), _cut(observed), one.look_at, outcome)


def _unknown(step: str, checked: str, problem: LabError, expected: str = "an answer") -> Row:
    said = _cut(f"no answer: {problem.title}. {problem.found}")
    return Row(step, checked, expected, said, f"{problem.look_at}; {problem.fix}", "unknown")


def _with_the_ended(row: Row, seen: Attached | None) -> Row:
    """Put what has ended, and its last words, before an answer that is not good."""
    ended = seen.troubles() if seen else []
    if not ended or row.outcome == "passed":
        return row
    first = ended[0]
    outcome: Outcome = "unknown" if row.observed.startswith(UNFINISHED) else row.outcome
    look_at = f"{first.log}; {first.fix}, then run the scenario again"
    if f"{first.title} " in row.observed:  # it says the same, in the words of who asked
        return replace(row, observed=_cut(str(first)), look_at=look_at, outcome=outcome)
    said = _cut(f"{first}. {row.observed}")
    return replace(row, observed=said, look_at=f"{look_at}; {row.look_at}", outcome=outcome)


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else text[:SHOWN].rpartition(" ")[0] + " …"


def _from_second_lab(row: Row, trial: Trial) -> Row:
    """Say that a row is about the second lab, and what was ordered there."""
    if row.outcome == "passed":  # drawn data differ each time, and say nothing once all is well
        return replace(row, where="second lab", expected="", observed="as expected", look_at="")
    given = trial.cases[0].given if trial.cases else None
    look_at = f"{row.look_at}, in the second lab. " if row.look_at else ""
    look_at += f"The first order there: {given}. " if given else ""
    look_at += f"Its logs: {trial.folder}" if trial.folder else ""
    return replace(row, where="second lab", look_at=look_at[: 2 * SHOWN])


def _module(exercise: Exercise) -> ModuleType:
    file = exercise.folder / "check.py"
    spec = importlib.util.spec_from_file_location(f"check_{exercise.id}", file)
    if spec is None or spec.loader is None or not file.exists():
        raise WrongCheck(
            f"{exercise.id} has no check",
            asked=str(file),
            found="no such file",
            look_at="docs/authoring.md",
            fix="write a function wished(case) that yields Check",
        )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
