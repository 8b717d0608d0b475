"""Explanations that follow a prediction, folded: they tell what the learner has not run yet.

An ``explain`` cell stands on the same screen as the question it answers. In the learner's copy its
text is closed until somebody opens it. What comes after a heading, and the next question, stay
visible.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

SUMMARY = "What happened, and why? Run the cells above, then open this."
_HEADING = re.compile(r"^#{1,6} ", re.MULTILINE)

Cell = dict[str, Any]


def folded(cells: Iterable[Cell]) -> list[Cell]:
    """Return the cells of a notebook, explanations folded between a prediction and a heading."""
    cells = list(cells)
    following = [*cells[1:], None]
    answered = _after_predictions(cells)
    return [
        _fold(cell, asks=_is_prediction(after)) if closed else cell
        for cell, after, closed in zip(cells, following, answered, strict=True)
    ]


def _after_predictions(cells: Iterable[Cell]) -> Iterator[bool]:
    """Yield of each cell whether it is an explanation after a prediction of its section."""
    predicted = False
    for cell in cells:
        yield predicted and _tag(cell) == "explain"
        if _is_prediction(cell):
            predicted = True
        elif cell["cell_type"] == "markdown" and _HEADING.search(_text(cell)):
            predicted = False


def _fold(cell: Cell, asks: bool) -> Cell:
    """Return a text cell with what precedes its first heading folded.

    Args:
        asks: the next cell is a prediction, so without a heading the last paragraph asks for it.
    """
    text = _text(cell)
    heading = _HEADING.search(text)
    end = heading.start() if heading else text.rfind("\n\n") + 1 if asks else len(text)
    inside, rest = text[:end].strip(), text[end:].strip()
    if not inside:
        return cell
    fold = f"<details>\n<summary>{SUMMARY}</summary>\n\n{inside}\n\n</details>"
    whole = f"{fold}\n\n{rest}" if rest else fold
    return {**cell, "source": whole.splitlines(keepends=True)}


def _is_prediction(cell: Cell | None) -> bool:
    return cell is not None and cell["cell_type"] == "code" and _tag(cell) == "predict"


def _tag(cell: Cell) -> str:
    return str((cell.get("metadata", {}).get("tags") or [""])[0])


def _text(cell: Cell) -> str:
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)
