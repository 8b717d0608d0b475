"""The table of ``docs/break-labs.md``, made from the break labs; the rest is written by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from labkit import paths
from labkit.exercises import Exercise, in_order

MARK = re.compile(r"(?s)(<!-- table -->\n).*?(<!-- end -->)")


def page() -> str:
    """Return the page with its table as it is now."""
    return MARK.sub(lambda m: f"{m[1]}\n{_table()}\n\n{m[2]}", target().read_text("utf-8"))


def problems() -> Iterator[str]:
    """Yield a problem when the table is not as it would be made now."""
    if target().read_text("utf-8") != page():
        yield "docs/break-labs.md differs from the break labs; run ./lab build pages"


def target() -> Path:
    """Return the file of the page."""
    return paths.repo() / "docs" / "break-labs.md"


def _table() -> str:
    rows = [_row(e) for e in in_order() if e.kind == "break" and e.atlas]
    head = ["| break lab | fault | symptom | what tells the cause |", "|---|---|---|---|"]
    return "\n".join([*head, *rows])


def _row(exercise: Exercise) -> str:
    told = exercise.atlas
    return f"| {exercise.id} | {told['cause']} | {told['seen']} | {told['evidence']} |"
