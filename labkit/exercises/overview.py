"""How far each exercise is, computed from the evidence."""

from __future__ import annotations

from dataclasses import dataclass

from labkit.course import progress
from labkit.exercises.catalogue import Exercise, in_order


@dataclass(frozen=True)
class ExerciseStatus:
    """How far an exercise is.

    Attributes:
        lesson: the number of the lesson that it practises, e.g. ``"03"``.
        state: ``not begun``, ``begun`` or ``passed``; what was passed once stays passed.
        hints: how many were taken.
    """

    id: str
    kind: str
    lesson: str
    minutes: int
    state: str
    hints: int


def overview(told: progress.Tallies | None = None) -> list[ExerciseStatus]:
    """Return how far each exercise is, lesson by lesson; reads the evidence if it is not given."""
    told = told or progress.tallies()
    return [_status(exercise, told.ids.get(exercise.id)) for exercise in in_order()]


def _status(exercise: Exercise, mine: progress.Tally | None) -> ExerciseStatus:
    return ExerciseStatus(
        exercise.id,
        exercise.kind,
        exercise.lesson,
        exercise.minutes,
        state="not begun" if mine is None else "passed" if mine.passed else "begun",
        hints=mine.hints if mine else 0,
    )


def next_exercise(told: progress.Tallies | None = None) -> str | None:
    """Return the first exercise that is not passed, of lessons that are finished; None if none."""
    told = told or progress.tallies()
    finished = {s.slug[:2] for s in progress.status(told) if s.state == "finished"}
    open_ones = (s.id for s in overview(told) if s.lesson in finished and s.state != "passed")
    return next(open_ones, None)
