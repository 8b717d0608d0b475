"""Which notebooks a learner gets, in course order, and how a person names one."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from labkit import exercises, paths
from labkit.course import naming, progress
from labkit.errors import ObservationError


class NoSuchNotebook(ObservationError):
    """A lesson or exercise that was named does not exist."""

    code = "no-such-notebook"


@dataclass(frozen=True)
class Copy:
    """A notebook of the course and its place in ``learn/``.

    Attributes:
        number: of a lesson, ``"03"``, or an exercise, ``"03.1"``.
        id: without the number.
        source: the built notebook, relative to the repository.
    """

    number: str
    id: str
    source: Path

    @property
    def file(self) -> Path:
        """The learner's copy, e.g. ``learn/03.1-tell-the-manager.ipynb``."""
        return paths.learn() / f"{self.number}-{self.id}.ipynb"

    @property
    def is_lesson(self) -> bool:
        """Whether it is a lesson, not an exercise."""
        return "." not in self.number


def copies() -> list[Copy]:
    """Return the notebooks of the course in the order of the file browser."""
    found = [_lesson(str(lesson["slug"])) for lesson in progress.syllabus()]
    found += [_exercise(e) for e in exercises.in_order()]
    built = [c for c in found if (paths.repo() / c.source).exists()]
    return sorted(built, key=lambda c: c.number)


def find(name: str) -> Copy:
    """Return a notebook by number (``3``, ``03.1``), id, or the name of its file.

    Raises:
        NoSuchNotebook: with the nearest name.
    """
    number, id = naming.split(name)
    known = copies()
    for copy in known:
        if id == copy.id or (not id and number == copy.number):
            return copy
    near = difflib.get_close_matches(name, [w for c in known for w in (c.id, c.number)], 1, 0.3)
    raise NoSuchNotebook(
        f"there is no lesson or exercise {name!r}",
        asked=f"the notebook of {name}",
        found=f"{len(known)} notebooks: {', '.join(c.file.stem for c in known)}",
        look_at=str(paths.learn()),
        fix=f"use {near[0]}" if near else "use one of these, by number or name",
    )


def _lesson(slug: str) -> Copy:
    return Copy(*naming.split(slug), Path("lessons") / f"{slug}.ipynb")


def _exercise(exercise: exercises.Exercise) -> Copy:
    return Copy(exercise.label, exercise.id, Path("exercises") / f"{exercise.id}.ipynb")
