"""Makes ``docs/atlas.md`` from the break labs and the faults of incidents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from labkit import paths
from labkit.exercises import in_order
from labkit.incidents.atlas import page as page

KEYS = ("cause", "seen", "evidence")


def problems() -> Iterator[str]:
    """Yield a problem where a break lab is not in the atlas, or the page is not as it would be."""
    for exercise in in_order():
        missing = [key for key in KEYS if not exercise.atlas.get(key)]
        if exercise.kind == "break" and missing:
            yield f"exercise.yaml of {exercise.id}: atlas has no {', '.join(missing)}"
    if not target().exists() or target().read_text("utf-8") != page():
        yield "docs/atlas.md differs from the break labs; run ./lab build pages"


def target() -> Path:
    """Return the file of the page."""
    return paths.repo() / "docs" / "atlas.md"
