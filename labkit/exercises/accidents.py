"""Faults that are in no file: what ends while the scenario of an exercise runs.

``accident`` in ``exercise.yaml`` is a list of steps, each ``kill NAME``, ``kill APP PART``,
``freeze APP PART`` or ``start APP``. The scenario calls ``accident(ID, lab)`` where it happens, so
a notebook does not give away what has ended.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterable
from typing import Any

from labkit.errors import AuthoringError
from labkit.exercises.cases import Case, View
from labkit.exercises.catalogue import load
from labkit.exercises.observations import Check
from labkit.labs.lab import Lab
from labkit.processes import lives


class WrongAccident(AuthoringError):
    """A step of an accident is not one of those that there are."""

    code = "wrong-accident"


def accident(id: str, lab: Lab) -> None:
    """Let happen what the exercise is about.

    Raises:
        NoSuchExercise: no exercise has this id.
        WrongAccident: ``exercise.yaml`` names a step that there is not.
    """
    for step in load(id).accident:
        happen(step, lab)


def happen(step: str, lab: Lab) -> None:
    """Let one step of an accident happen.

    Raises:
        WrongAccident: there is no such step.
    """
    words: list[Any] = step.split()
    if words[0] == "kill" and len(words) in (2, 3):
        lab.kill(*words[1:], announce=False)
    elif words[0] == "start" and len(words) == 2:
        lab.app(words[1]).start()  # the app alone: lab.up would start the control plane as well
    elif words[0] == "freeze" and len(words) == 3:
        own = lab.app(words[1]).process(words[2])
        for process in (p for p in lab.app(words[1]).alive() if p is own):
            process.signal(signal.SIGSTOP)
    else:
        raise WrongAccident(
            f"an accident has no step {step!r}",
            asked=step,
            found="steps are: kill NAME, kill APP PART, freeze APP PART, start APP",
            look_at="accident in exercise.yaml",
            fix="write one of these",
        )


def happened(case: Case, name: str) -> Check:
    """Something of the control plane ended after the workflow had begun; else nobody can judge."""

    def observe() -> str:
        began = case.history.events[0].time.timestamp()
        ends = [x for x in _lives_of(case.lab, name) if not x.is_alive]
        return "it ended" if any((x.ended_at or 0) > began for x in ends) else "it never ended"

    return Check(
        "accident",
        f"the accident came after the workflow {case.name} had begun",
        "it ended",
        observe,
        "the scenario cell as the exercise gives it, then run it again",
        otherwise="unknown",
    )


def spared(case: Case, name: str, restarted: Iterable[str] = ()) -> Check:
    """Whatever was well when something of the control plane ended was not started again.

    Args:
        name: what ended.
        restarted: processes that the accident itself has started, such as ``target worker``.
    """

    def observe() -> str:
        ends = [x.ended_at for x in _lives_of(case.lab, name) if x.ended_at is not None]
        later = [x.name for x in lives.lives(case.lab.folder) if x.started_at > min(ends)]
        by_itself = [*restarted, *lives.started_by_the_lab(case.lab.folder, min(ends))]
        besides = Counter(n for n in later if n != name) - Counter(by_itself)
        return f"started again: {', '.join(besides)}" if besides else "nothing else"

    return Check(
        "spared",
        f"to repair it, {name} was started and nothing else",
        "nothing else",
        observe,
        "run the scenario again, and start only what has ended: lab.status()",
    )


def running(case: Case, name: str) -> Check:
    """Something of the control plane runs now."""
    return Check(
        "running",
        f"{name} runs",
        "running",
        lambda: "running" if any(x.is_alive for x in _lives_of(case.lab, name)) else "ended",
        "lab.status()",
    )


def _lives_of(lab: View, name: str) -> list[lives.Life]:
    return [x for x in lives.lives(lab.folder) if x.name == name]
