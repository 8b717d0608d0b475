"""How far each exercise is, computed from the evidence."""

from __future__ import annotations

from dataclasses import dataclass

from labkit import progress
from labkit.exercises.catalogue import in_order


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


def overview() -> list[ExerciseStatus]:
    """Return how far each exercise is, lesson by lesson."""
    told = progress.entries()
    found = []
    for exercise in in_order():
        mine = [e for e in told if e.id == exercise.id]
        passed = any(e.kind == "verdict" and e.facts.get("passed") for e in mine)
        found.append(
            ExerciseStatus(
                exercise.id,
                exercise.kind,
                exercise.lesson,
                exercise.minutes,
                state="passed" if passed else "begun" if mine else "not begun",
                hints=sum(e.kind == "hint" for e in mine),
            )
        )
    return found


def next_exercise() -> str | None:
    """Return the first exercise that is not passed, of lessons that are finished; None if none."""
    finished = {s.slug[:2] for s in progress.status() if s.state == "finished"}
    open_ones = (s.id for s in overview() if s.lesson in finished and s.state != "passed")
    return next(open_ones, None)
