"""Hints from what is observed now, in three levels; and the learner's own diagnosis."""

from __future__ import annotations

from labkit import progress
from labkit.exercises.catalogue import load
from labkit.exercises.checking import look
from labkit.predict import Line

LEVELS = 3


def hint(id: str) -> Line:
    """Return the next hint for the step that stops the check now, and note that it was taken.

    Raises:
        NoSuchExercise: no exercise has this id.
    """
    exercise = load(id)
    stopped = look(exercise).stopped_at
    if stopped is None:
        return Line("No hint is needed: the check passes.")
    levels = exercise.hints.get(stopped.step, ())
    if not levels:
        return Line(f"First: {stopped.look_at}")
    taken = [e for e in progress.entries("hint", id) if e.facts.get("step") == stopped.step]
    level = min(len(taken), LEVELS - 1)
    if len(taken) < LEVELS:  # the last one again is no further hint
        progress.note("hint", id, step=stopped.step, level=level + 1, lesson=exercise.lesson)
    again = ", the last" if len(taken) >= LEVELS else ""
    told = f"Hint {level + 1} of {LEVELS}{again}, on “{stopped.checked}”: {levels[level]}"
    return Line(told)


def diagnose(id: str, cause: str) -> Line:
    """Save your diagnosis, or your plan, to compare it with the expert's; return what is next."""
    exercise = load(id)
    build = exercise.kind == "build"
    if len(cause.split()) < 3:
        asked = "what do you change, and where will you see that it works?"
        asked = asked if build else "which part does what wrong, and how do you know?"
        return Line(f"Write one sentence: {asked}")
    progress.note("explanation", id, text=cause, lesson=exercise.lesson)
    saved = "Your plan is saved. Change" if build else "Your diagnosis is saved. Mend"
    return Line(f"{saved} the files, then run the scenario again.")
