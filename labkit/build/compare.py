"""Says where a built notebook differs from its source."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import nbformat

from labkit.build.catalogue import Notebook
from labkit.build.source import read

CHOICES, OBSERVED = "choose: ", "observed:"
SLOW = re.compile(r"this machine is (slow|busy)")
_ID = re.compile(r"(?:predict|observe)\(\s*\"([^\"]+)\"")


def drift(notebook: Notebook) -> Iterator[str]:
    """Yield what differs: cells, ids, tags, sources, and outputs that cannot be of one run."""
    if not notebook.target.exists():
        yield "is not built; run ./lab build"
        return
    wanted, built = read(notebook), nbformat.read(notebook.target, as_version=4)
    if [c.id for c in wanted.cells] != [c.id for c in built.cells]:
        yield "has other cells than its source; run ./lab build"
        return
    for one, two in zip(wanted.cells, built.cells, strict=True):
        if (one.cell_type, one.source, one.metadata) != (two.cell_type, two.source, two.metadata):
            yield f"cell {one.id} differs from its source; run ./lab build"
    if wanted.metadata != built.metadata:
        yield "has other metadata than its source; run ./lab build"
    yield from _outputs(notebook, [c for c in built.cells if c.cell_type == "code"])


def _passes(cell: Any) -> bool:
    """Whether this is a check that told: passed."""
    told = [o.get("data", {}).get("text/plain", "") for o in cell.outputs]
    return cell.source.startswith("check(") and any(": passed" in t.split("\n")[0] for t in told)


def _outputs(notebook: Notebook, cells: list[Any]) -> Iterator[str]:
    if notebook.kind == "solution" and not any(_passes(c) for c in cells):
        yield "its check did not pass when it was built"
    for number, cell in enumerate(cells, 1):
        if not notebook.executed:
            if cell.outputs or cell.execution_count:
                yield f"cell {cell.id} of a stub has outputs"
            continue
        if cell.execution_count != number:
            yield f"cell {cell.id} was not run in order: {cell.execution_count} is not {number}"
        expected = "raises-exception" in cell.metadata.get("tags", [])
        if not expected and any(o.output_type == "error" for o in cell.outputs):
            yield f"cell {cell.id} holds an error that is not announced"
    yield from unusual(cells)


def unusual(cells: Sequence[Any]) -> Iterator[str]:
    """Yield what cannot be the output of a usual run.

    That is an observation that the learner could not have chosen, and the word of the course that
    this machine is slow: where it stands still, a kill comes too late, and the lesson shows what
    its text does not say.
    """
    offered: dict[str, str] = {}
    for cell in cells:
        for text in map(_text, cell.outputs):
            if SLOW.search(text):
                yield f"cell {cell.id} was run on a machine that was busy or slow; build it again"
            if text.startswith(CHOICES):
                offers = text.removeprefix(CHOICES).partition("\n(")[0]
                offered |= dict.fromkeys(_ID.findall(cell.source), f" | {offers} | ")
            _, found, seen = text.partition(OBSERVED)
            for id in _ID.findall(cell.source) if found else ():
                if f" | {seen.strip()} | " not in offered.get(id, f" | {seen.strip()} | "):
                    yield f"cell {cell.id} observed {seen.strip()!r}, which {id} does not offer"


def _text(output: Any) -> str:
    return str(output.get("text") or output.get("data", {}).get("text/plain", ""))
