"""Writes one copy into ``learn/``, without ever replacing what a learner made of it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from labkit.learn import notebook

TORN = ".{name}.part"
"""Name of a file that is not written to its end; it is removed at the next update."""

Done = Literal["made", "followed", "beside", "waiting", ""]


def follow(file: Path, new: notebook.Notebook) -> tuple[Done, Path]:
    """Let a copy follow the course.

    Returns:
        What was done: ``made`` (there was none), ``followed`` (it was untouched), ``beside`` (the
        new version was written beside it), ``waiting`` (that was done before), or nothing; and the
        file that holds the new version.
    """
    if not os.path.lexists(file):
        write(file, new)
        return "made", file
    if notebook.version(file) == notebook.fingerprint(new):
        forget_new(file)
        return "", file
    if notebook.is_untouched(file):
        write(file, new)
        forget_new(file)
        return "followed", file
    return _laid_beside(file, new)


def _laid_beside(file: Path, new: notebook.Notebook) -> tuple[Done, Path]:
    """Write the new version beside a copy that is the learner's, once."""
    for beside in _names_beside(file):
        if notebook.version(beside) == notebook.fingerprint(new):
            return ("waiting" if notebook.is_untouched(beside) else ""), beside
        if not os.path.lexists(beside) or notebook.is_untouched(beside):
            write(beside, new)
            return "beside", beside
    raise AssertionError("names do not end")


def _names_beside(file: Path) -> Iterator[Path]:
    yield file.with_name(f"{file.stem}.new.ipynb")
    yield from (file.with_name(f"{file.stem}.new-{n}.ipynb") for n in itertools.count(2))


def forget_new(file: Path) -> None:
    """Remove versions beside a copy that is up to date, unless they were edited or run."""
    for beside in itertools.takewhile(os.path.lexists, _names_beside(file)):
        if notebook.is_untouched(beside):
            beside.unlink()


def write(file: Path, new: notebook.Notebook) -> None:
    """Write a notebook whole, or not at all."""
    part = file.with_name(TORN.format(name=file.name))
    try:
        with part.open("wb") as out:
            out.write(notebook.as_bytes(notebook.recorded(new, file.name)))
            out.flush()
            os.fsync(out.fileno())
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
