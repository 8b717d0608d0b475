"""Evidence of what a learner did: one append-only file, and everything computed from it.

``.lab/progress.jsonl`` holds one JSON object a line: predictions, answers, observations, verdicts,
hints taken, resets. Lines are only ever added, each with a lock and a flush to the disk; a line
that is torn or unknown is skipped with a warning.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from labkit import naming, paths

KINDS = ("prediction", "observation", "answer", "explanation", "verdict", "hint", "reset", "lesson")


@dataclass(frozen=True)
class Entry:
    """One line of evidence.

    Attributes:
        at: seconds since the epoch.
        kind: one of KINDS.
        id: of the prediction, question, exercise or lesson.
        facts: what else was noted.
    """

    at: float
    kind: str
    id: str
    facts: dict[str, Any]


def file() -> Path:
    """Return the path of the evidence."""
    return paths.state() / "progress.jsonl"


def note(kind: str, id: str, **facts: Any) -> None:
    """Add one line, and return when it is on the disk."""
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r} is none of {KINDS}")
    line = json.dumps({"at": time.time(), "kind": kind, "id": id, **facts}, default=str)
    with file().open("a+b") as out:
        fcntl.flock(out, fcntl.LOCK_EX)
        # A line that a crash has torn must not swallow this one.
        if out.tell() and not _ends_with_newline(out.fileno(), out.tell()):
            line = "\n" + line
        out.write(line.encode() + b"\n")
        out.flush()
        os.fsync(out.fileno())


def entries(kind: str | None = None, id: str | None = None) -> list[Entry]:
    """Return the evidence, oldest first; of one kind or one id, when given."""
    if not file().exists():
        return []
    found = []
    for number, line in enumerate(file().read_bytes().splitlines(), 1):
        entry = _entry(line)
        if entry is None:
            if line.strip():
                warnings.warn(f"{file()}:{number} is skipped: not readable", stacklevel=2)
        elif kind in (None, entry.kind) and id in (None, entry.id):
            found.append(entry)
    return found


def newest(kind: str, id: str) -> Entry | None:
    """Return the newest entry of a kind with an id, or None."""
    return next(iter(reversed(entries(kind, id))), None)


def since_reset(kind: str, id: str) -> list[Entry]:
    """Return the evidence of a kind with an id, oldest first, since this notebook was reset."""
    notebook = naming.split(current_lesson() or "").id
    reset = newest("reset", notebook) if notebook else None
    return [e for e in entries(kind, id) if reset is None or e.at > reset.at]


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
    text = (paths.repo() / "authoring" / "syllabus.yaml").read_text("utf-8")
    return list(yaml.safe_load(text)["lessons"])


def status() -> list[LessonStatus]:
    """Return how far each lesson is."""
    told = entries()
    return [_lesson_status(lesson, told) for lesson in syllabus()]


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


def next_lesson() -> str:
    """Return the slug of the first lesson that is not finished; the last one after the end."""
    states = status()
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


def _lesson_status(lesson: dict[str, Any], told: Iterable[Entry]) -> LessonStatus:
    slug = str(lesson["slug"])
    ids = {naming.split(slug).id, *map(str, lesson.get("was", []))}
    mine = [e for e in told if _is_about(e, ids)]
    finished = any(e.kind == "lesson" and e.facts.get("state") == "finished" for e in mine)
    return LessonStatus(
        slug=slug,
        minutes=int(lesson["minutes"]),
        state="finished" if finished else "begun" if mine else "not begun",
        predictions=len({e.id for e in mine if e.kind == "prediction"}),
        answers=len({e.id for e in mine if e.kind == "answer" and e.facts.get("correct")}),
    )


def _is_about(entry: Entry, ids: set[str]) -> bool:
    """Whether evidence is about a lesson, whatever number or id it had when it was noted."""
    names = (entry.facts.get("lesson") or "", entry.id)
    return not ids.isdisjoint(naming.split(str(name)).id for name in names)


def _entry(line: bytes) -> Entry | None:
    try:
        told = json.loads(line)
        return Entry(float(told.pop("at")), str(told.pop("kind")), str(told.pop("id")), told)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _ends_with_newline(descriptor: int, size: int) -> bool:
    return os.pread(descriptor, 1, size - 1) == b"\n"
