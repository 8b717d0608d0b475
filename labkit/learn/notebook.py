"""One notebook as a learner gets it, and whether it is still as it was given out.

A copy carries its own record, in its metadata: the name under which it was written, and a
fingerprint of its cells. So there is no list beside the folder that could disagree with it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from labkit.learn.folding import folded

RECORD = "course"
_LINK = re.compile(
    r"""(?P<open>\]\(|\b(?:href|src)=["']|^\[[^\]]+\]:[ ]+)(?P<to>[^)"'\s]+)""", re.MULTILINE
)
_FOLDER = re.compile(
    r"""^%%workfile\s+(?P<magic>[^/\s]+)/|\b(?:workspace|copy_of_services)\(\s*["'](?P<call>[^"'/]+)""",
    re.MULTILINE,
)

Notebook = dict[str, Any]


def cleaned(built: Notebook, source: Path, names: Mapping[str, str]) -> Notebook:
    """Return a built notebook without outputs, its links as they lead on from ``learn/``.

    Explanations that follow a prediction are folded.

    Args:
        source: where the built one is, relative to the repository.
        names: path of a built notebook in the repository to the name of its copy.
    """
    cells = [_cell(cell, source.parent.as_posix(), names) for cell in built["cells"]]
    return {**built, "cells": folded(cells)}


def _cell(cell: Notebook, folder: str, names: Mapping[str, str]) -> Notebook:
    if cell["cell_type"] == "code":
        return {**cell, "outputs": [], "execution_count": None}
    text = _LINK.sub(lambda m: m["open"] + _led(m["to"], folder, names), _text(cell))
    return {**cell, "source": text.splitlines(keepends=True)}


def _led(link: str, folder: str, names: Mapping[str, str]) -> str:
    """Return a link of a notebook in ``folder`` as it is written in ``learn/``."""
    path, mark, place = link.partition("#")
    if not path or ":" in path or path.startswith("/"):
        return link
    target = os.path.normpath(PurePosixPath(folder, path))
    return names.get(target, os.path.relpath(target, "learn")) + mark + place


def folders(notebook: Notebook) -> list[str]:
    """Return the names of the folders below ``files`` that a notebook writes."""
    code = "\n".join(_text(c) for c in notebook["cells"] if c["cell_type"] == "code")
    return sorted({found["magic"] or found["call"] for found in _FOLDER.finditer(code)})


def recorded(notebook: Notebook, name: str) -> Notebook:
    """Return a notebook with its record: given out under ``name``, as it is now."""
    record = {"name": name, "version": fingerprint(notebook)}
    return {**notebook, "metadata": {**notebook["metadata"], RECORD: record}}


def fingerprint(notebook: Notebook) -> str:
    """Return a fingerprint of what the cells say; outputs and metadata do not count."""
    said = [[cell["cell_type"], _text(cell)] for cell in notebook["cells"]]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]


def as_bytes(notebook: Notebook) -> bytes:
    """Return the file of a notebook, in the form that Jupyter writes."""
    text = json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False)
    return text.encode() + b"\n"


def read(file: Path) -> Notebook | None:
    """Return a notebook; None if the file does not exist or is not a notebook."""
    try:
        found = json.loads(file.read_bytes())
        fingerprint(found)
        return dict(found)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def version(file: Path) -> str | None:
    """Return the fingerprint with which a copy was given out; None if it was not, by this name."""
    notebook = read(file)
    if notebook is None:
        return None
    record = notebook.get("metadata", {}).get(RECORD)
    mine = isinstance(record, dict) and record.get("name") == file.name
    return str(record["version"]) if mine and "version" in record else None


def is_untouched(file: Path) -> bool:
    """Whether a copy is as it was given out: no cell edited, none run."""
    notebook = read(file)
    if notebook is None or version(file) != fingerprint(notebook):
        return False
    return not any(_was_run(notebook["cells"]))


def _was_run(cells: Iterable[Notebook]) -> Iterable[bool]:
    return (bool(c.get("outputs") or c.get("execution_count")) for c in cells)


def _text(cell: Notebook) -> str:
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)
