"""The list of exercises in the order of the lessons. Makes ``exercises/README.md``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from labkit import paths
from labkit.course import progress
from labkit.exercises import KINDS, Exercise, in_order

INTRO = (
    "In an *exercise* you build or change something. In a *break lab* one part of a deployment is "
    "wrong: you see a symptom, find the cause by evidence, and repair it. Both are judged by "
    'looking at your running system, with `check("id")` in the notebook or `./lab check id` in a '
    "terminal. A check also starts your files in a second lab and sends orders with new data, so "
    "an answer written for the example does not pass. "
    "`./lab next` names the one to go on with."
)


def page() -> str:
    """Return the page: one table for each lesson."""
    lines = ["# Exercises and break labs", "", INTRO]
    for lesson in progress.syllabus():
        slug = str(lesson["slug"])
        mine = [e for e in in_order() if e.lesson == slug[:2]]
        if mine:
            lines += [
                "",
                f"## {slug[:2]} {title_of(slug)}",
                "",
                "| | | kind | you will | minutes |",
            ]
            lines += ["|---|---|---|---|---|", *map(_row, mine)]
    return "\n".join(lines) + "\n"


def problems() -> Iterator[str]:
    """Yield a problem when the page is not as it would be made now."""
    file = target()
    if not file.exists() or file.read_text("utf-8") != page():
        yield "exercises/README.md differs from authoring/exercises; run ./lab build pages"


def target() -> Path:
    """Return the file of the page."""
    return paths.repo() / "exercises" / "README.md"


def title_of(slug: str) -> str:
    """Return the heading of a lesson, without its number."""
    source = (paths.repo() / "authoring" / "lessons" / f"{slug}.py").read_text("utf-8")
    return source.partition("# # ")[2].partition("\n")[0]


def _row(exercise: Exercise) -> str:
    does = exercise.objective[0].lower() + exercise.objective[1:]
    link = f"[{exercise.id}]({exercise.id}.ipynb)"
    kind = KINDS[exercise.kind].lower()
    return f"| {exercise.label} | {link} | {kind} | {does} | {exercise.minutes} |"
