"""What the evidence says of lessons: how far each one is, which is next, what was predicted.

The file itself is :mod:`labkit.course.evidence`; what it exports is exported here, too.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from labkit import paths
from labkit.course import coursefiles, naming
from labkit.course.evidence import Entry, backwards, entries, file, newest, note, scan

__all__ = [
    "Entry",
    "LessonStatus",
    "Tallies",
    "Tally",
    "current_lesson",
    "entries",
    "exported",
    "file",
    "following",
    "latest",
    "lesson_named",
    "newest",
    "next_lesson",
    "note",
    "since_reset",
    "status",
    "syllabus",
    "tallies",
]


def latest(id: str) -> Iterator[Entry]:
    """Yield the evidence with an ID, newest first, back to the last reset of this notebook."""
    notebook = naming.split(current_lesson() or "").id
    for entry in backwards(id, notebook) if notebook else backwards(id):
        if notebook and entry.id == notebook and entry.kind == "reset":
            return
        if entry.id == id:
            yield entry


def since_reset(kind: str, id: str) -> list[Entry]:
    """Return the evidence of a kind with an ID, oldest first, since this notebook was reset."""
    return [e for e in reversed(list(latest(id))) if e.kind == kind]


@dataclass(frozen=True)
class LessonStatus:
    """How far a lesson is.

    Attributes:
        predictions, answers: how many of the lesson's were given.
        state: ``not begun``, ``begun`` or ``finished``.
    """

    slug: str
    minutes: int
    state: str
    predictions: int
    answers: int


def current_lesson() -> str | None:
    """Return the file name, without its ending, of this kernel's notebook; None elsewhere."""
    session = os.environ.get("JPY_SESSION_NAME")
    return Path(session).stem if session else None


def syllabus() -> list[dict[str, Any]]:
    """Return the lessons in order, as ``authoring/syllabus.yaml`` lists them."""
    return list(coursefiles.read(paths.repo() / "authoring" / "syllabus.yaml")["lessons"])


@dataclass
class Tally:
    """What the evidence about one lesson or exercise adds up to."""

    entries: int = 0
    hints: int = 0
    passed: bool = False
    finished: bool = False
    predictions: set[str] = field(default_factory=set)
    answers: set[str] = field(default_factory=set)

    def add(self, entry: Entry) -> None:
        """Count one entry."""
        self.entries += 1
        self.hints += entry.kind == "hint"
        self.passed |= entry.kind == "verdict" and bool(entry.facts.get("passed"))
        self.finished |= entry.kind == "lesson" and entry.facts.get("state") == "finished"
        if entry.kind == "prediction":
            self.predictions.add(entry.id)
        elif entry.kind == "answer" and entry.facts.get("correct"):
            self.answers.add(entry.id)


@dataclass
class Tallies:
    """All evidence, added up in one reading.

    Attributes:
        lessons: by the ID of the lesson that evidence is about, whatever number it had then.
        ids: by the ID that the evidence carries.
    """

    lessons: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    ids: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))


def tallies() -> Tallies:
    """Return all evidence, added up.

    Raises:
        EvidenceNotReadable: something else is in the file's place.
    """
    found = Tallies()
    for entry in scan():
        found.ids[entry.id].add(entry)
        for id in {_id_in(entry.id), _id_in(str(entry.facts.get("lesson") or ""))}:
            found.lessons[id].add(entry)
    return found


@lru_cache(maxsize=4096)
def _id_in(name: str) -> str:
    return naming.split(name).id


def status(told: Tallies | None = None) -> list[LessonStatus]:
    """Return how far each lesson is; reads the evidence where it is not given."""
    told = told or tallies()
    return [_lesson_status(lesson, told.lessons) for lesson in syllabus()]


def following(slug: str) -> str | None:
    """Return the lesson after this one; None after the last."""
    slugs = [str(lesson["slug"]) for lesson in syllabus()]
    return next(iter(slugs[slugs.index(slug) + 1 :]), None)


def lesson_named(name: str) -> str | None:
    """Return the slug of a lesson by its number, id, slug or notebook; None if there is none."""
    number, id = naming.split(name)
    slugs = [str(lesson["slug"]) for lesson in syllabus()]
    if id:
        return next((s for s in slugs if naming.split(s).id == id), None)
    return next((s for s in slugs if number and naming.split(s).number == number), None)


def next_lesson(states: list[LessonStatus] | None = None) -> str:
    """Return the slug of the first lesson that is not finished; the last one after the end."""
    states = states or status()
    return next((s.slug for s in states if s.state != "finished"), states[-1].slug)


def exported() -> list[dict[str, Any]]:
    """Return the evidence without personal data: no free text, no paths, times from zero."""
    told = entries()
    zero = told[0].at if told else 0.0
    keep = ("choice", "correct", "expected", "passed", "level")
    return [
        {
            "seconds": round(e.at - zero),
            "kind": e.kind,
            "id": e.id,
            **{k: e.facts[k] for k in keep if k in e.facts},
        }
        for e in told
    ]


def _lesson_status(lesson: dict[str, Any], told: dict[str, Tally]) -> LessonStatus:
    slug = str(lesson["slug"])
    ids = {naming.split(slug).id, *map(str, lesson.get("was", []))}
    mine = [told[id] for id in ids if id in told]
    state = "finished" if any(t.finished for t in mine) else "begun" if mine else "not begun"
    return LessonStatus(
        slug=slug,
        minutes=int(lesson["minutes"]),
        state=state,
        predictions=len(set[str]().union(*(t.predictions for t in mine))),
        answers=len(set[str]().union(*(t.answers for t in mine))),
    )
