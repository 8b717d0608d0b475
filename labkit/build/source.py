"""A percent source as a notebook with stable cell ids; storing a notebook in one form."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jupytext
import nbformat

from labkit.build import frame
from labkit.build.catalogue import Kind, Notebook
from labkit.errors import AuthoringError
from labkit.exercises import load

KEPT_METADATA = ("tags", "reason")
_SOLUTION = re.compile(
    r"(?ms)^(?P<indent>[ \t]*)# <solution(?: goal=\"(?P<goal>[^\"]*)\")?"
    r"(?: stub='(?P<stub>[^']*)')?>\n"
    r".*?^[ \t]*# </solution>\n?"
)

_ONLY_IN_STUBS = re.compile(r"\n[ \t]*# <solution[^\n]*>\n[ \t]*# </solution>")


class WrongSource(AuthoringError):
    """A source of a notebook cannot be read."""

    code = "wrong-notebook-source"


def read(notebook: Notebook) -> Any:
    """Return the notebook that a source describes, without outputs.

    Raises:
        WrongSource: it is no percent notebook, or a cell has no tag.
    """
    try:
        nb = jupytext.read(notebook.source, fmt="py:percent")
    except Exception as problem:  # jupytext raises what its parsers raise
        raise _wrong(notebook, f"{type(problem).__name__}: {problem}") from problem
    if notebook.kind != "lesson":
        nb.cells = frame.assemble(load(notebook.source.parent.name), nb.cells)
    elif len(nb.cells) > 1 and (more := frame.practise(notebook.target.stem[:2])):
        nb.cells[-2].source += f"\n\n{more}"
    nb.metadata = nbformat.from_dict(
        {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python"},
        }
    )
    counts: dict[str, int] = {}
    for cell in nb.cells:
        tags = list(cell.metadata.get("tags", []))
        kind = tags[0] if tags else "text" if cell.cell_type == "markdown" else "code"
        counts[kind] = counts.get(kind, 0) + 1
        # Position among cells of its tag: an edit elsewhere leaves the id as it is.
        cell.id = f"{notebook.target.stem[:2]}-{kind}-{counts[kind]}"
        kept = {k: cell.metadata[k] for k in KEPT_METADATA if k in cell.metadata}
        cell.metadata = nbformat.from_dict(kept)
        if cell.cell_type == "code":
            cell.source = for_kind(cell.source, notebook.kind)
            cell.outputs, cell.execution_count = [], None
    nbformat.validate(nb)
    return nb


def store(nb: Any, target: Path) -> None:
    """Write a notebook; the same notebook gives the same bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    text = nbformat.writes(nb, version=4)
    target.write_text(text.rstrip("\n") + "\n", "utf-8")


def for_kind(code: str, kind: Kind) -> str:
    """Return code for a stub, without the solution, or for a solution, without the marks."""
    if kind == "exercise":
        return _SOLUTION.sub(_gap, code + "\n").rstrip("\n")
    return re.sub(r"(?m)^[ \t]*# </?solution[^\n]*>\n?", "", _ONLY_IN_STUBS.sub("", code))


def _gap(match: re.Match[str]) -> str:
    indent, goal, stub = match["indent"], match["goal"] or "your lines", match["stub"]
    return f"{indent}{stub}  # {goal}\n" if stub else f"{indent}# {goal}\n{indent}...\n"


def _wrong(notebook: Notebook, found: str) -> WrongSource:
    return WrongSource(
        f"{notebook.source.name} is not a notebook source",
        asked=f"read {notebook.source}",
        found=found,
        look_at="docs/authoring.md",
        fix="write it as a jupytext percent file",
    )
