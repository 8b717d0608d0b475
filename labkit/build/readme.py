"""The parts of ``README.md`` that are made from the course: its lessons, their minutes, its size.

Each stands between ``<!-- NAME -->`` and ``<!-- end -->``; the rest of the page is written by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from labkit import paths
from labkit.build.index import title_of
from labkit.course import progress
from labkit.exercises import in_order

MARK = re.compile(r"(?s)(<!-- (lessons|size|counts) -->\n)(?:.*?\n)??(<!-- end -->)")
NUMBERS = (
    *("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
)


def page() -> str:
    """Return the page with its made parts as they are now."""
    made = {"lessons": lessons, "size": size, "counts": counts}
    text = target().read_text("utf-8")
    return MARK.sub(lambda m: f"{m[1]}\n{made[m[2]]()}\n\n{m[3]}", text)


def problems() -> Iterator[str]:
    """Yield a problem when a made part is not as it would be made now."""
    if target().read_text("utf-8") != page():
        yield "README.md differs from the course; run ./lab build pages"


def target() -> Path:
    """Return the file of the page."""
    return paths.repo() / "README.md"


def lessons() -> str:
    """Return the table of the lessons."""
    rows = ["| | | minutes | exercises |", "|---|---|---|---|"]
    for lesson in progress.syllabus():
        slug = str(lesson["slug"])
        count = sum(e.lesson == slug[:2] for e in in_order())
        link = f"[{title_of(slug)}](lessons/{slug}.ipynb)"
        rows.append(f"| {slug[:2]} | {link} | {lesson['minutes']} | {count or ''} |")
    return "\n".join(rows)


def size() -> str:
    """Return how long the course is."""
    own = sum(int(lesson["minutes"]) for lesson in progress.syllabus())
    practice = sum(e.minutes for e in in_order())
    return (
        "**For** Python developers; no knowledge of Dapr is needed. **How long:** about"
        f" {_words(own / 60)} hours of lessons and {_words(practice / 60)} hours of exercises."
    )


def counts() -> str:
    """Return how many exercises there are."""
    build = sum(e.kind == "build" for e in in_order())
    return (
        f"To practise there are {_words(build)} exercises, in which you build or change something,"
        f" and {_words(len(in_order()) - build)} **break labs**: a deployment in which one thing is"
        " wrong. There you see a symptom, find the cause by evidence, and repair it."
    )


def _words(number: float) -> str:
    whole = round(number)
    return NUMBERS[whole] if whole < len(NUMBERS) else str(whole)
