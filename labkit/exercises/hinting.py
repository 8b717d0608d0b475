"""Hints from what is observed now, in three levels; and the learner's own diagnosis."""

from __future__ import annotations

from collections.abc import Mapping

from labkit.course import progress
from labkit.course.predictions import Line
from labkit.course.verdict import Row
from labkit.exercises.catalogue import load
from labkit.exercises.checking import look

LEVELS = 3
GENERAL = {
    "ordered": (
        "Which workflow ran under this ID? lab.run(ID).history.name names it.",
        "The exercise is about the workflow that its scenario schedules. Did the scenario change?",
        "Restore the scenario cell of the exercise, then run it again.",
    ),
    "before": (
        "A step that was not to change is missing. Compare the steps in lab.run(ID).history.",
        "Which line called it before your change? Its app and its input should be as they were.",
        "Undo the last edit, and change only what the exercise asks for.",
    ),
    "others": (
        "Another workflow of the same file no longer works. Schedule it yourself and look.",
        "What do both workflows use: a constant, a helper, an activity, a component?",
        "Undo the last edit, and change only what the exercise asks for.",
    ),
}
"""Hints for the checks that every exercise has; an exercise may have its own."""
ELSEWHERE = {
    "was not registered": (
        "The workflow FAILED: an app was asked for something it does not have. Read the name in"
        " lab.run(ID).failure.",
        "In which app was it looked for? lab.run(ID).history names the app of the call.",
        "What another app offers is called by the name in its decorator there; without app_id it is"
        " looked for in the caller's own app.",
    ),
    "FAILED": (
        "The workflow FAILED now. Print its failure: lab.run(ID).failure.",
        "The message names what was not found or what went wrong. Which file says that?",
        "Undo the last edit and go on in smaller steps, or start over with reset.",
    ),
    "RUNNING": (
        "The workflow does not fail, and does not end. Print lab.run(ID).history: its last lines.",
        "A step without an end waits for its app. If no step has started, a call could not be"
        " handed over: read the log of the caller's sidecar.",
        "Undo the last edit and go on in smaller steps, or start over with reset.",
    ),
}
"""Hints for a workflow whose status is not the one that an exercise is about."""


def hint(id: str = "") -> Line:
    """Return the next hint for the step that stops the check now, and note that it was taken.

    Raises:
        NoSuchExercise: no exercise has this id.
    """
    exercise = load(id)
    stopped = look(exercise).stopped_at
    if stopped is None:
        return Line("No hint is needed: the check passes.")
    if stopped.outcome == "unknown":  # a hint about the task would mislead: nobody can judge yet
        seen = stopped.observed.rstrip(".")
        return Line(f"There is no verdict yet: {seen}. Look at: {stopped.look_at}")
    key, levels = _levels(exercise.hints, stopped)
    if not levels:
        return Line(f"First: {stopped.look_at}")
    taken = [e for e in progress.entries("hint", exercise.id) if e.facts.get("step") == key]
    level = min(len(taken), LEVELS - 1)
    if len(taken) < LEVELS:  # the last one again is no further hint
        progress.note("hint", exercise.id, step=key, level=level + 1, lesson=exercise.lesson)
    again = ", the last" if len(taken) >= LEVELS else ""
    told = f"Hint {level + 1} of {LEVELS}{again}, on “{stopped.checked}”: {levels[level]}"
    return Line(told)


def _levels(hints: Mapping[str, tuple[str, ...]], stopped: Row) -> tuple[str, tuple[str, ...]]:
    """The hints of a step, and the key under which they are counted.

    Those for what was observed (``step:WORD``) come first, then those for the step.
    """
    hints = {**GENERAL, **hints}
    for key, levels in hints.items():
        step, _, word = key.partition(":")
        if step == stopped.step and word and word in stopped.observed:
            return key, levels
    if stopped.step in hints:
        return stopped.step, hints[stopped.step]
    for word, levels in ELSEWHERE.items():
        if word in stopped.observed:
            return f"{stopped.step}:{word}", levels
    return stopped.step, ()


def diagnose(id: str = "", cause: str = "") -> Line:
    """Save your diagnosis, or your plan, to compare it with the expert's; return what is next."""
    exercise = load(id)
    build = exercise.kind == "build"
    if len(cause.split()) < 3:
        asked = "what do you change, and where will you see that it works?"
        asked = asked if build else "which part does what wrong, and how do you know?"
        return Line(f"Write one sentence: {asked}")
    progress.note("explanation", exercise.id, text=cause, lesson=exercise.lesson)
    if exercise.action:
        return Line("Your diagnosis is saved. Now repair this lab.")
    saved = "Your plan is saved. Change" if build else "Your diagnosis is saved. Repair"
    return Line(f"{saved} the files, then run the scenario again.")
