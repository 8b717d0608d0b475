"""Runs a notebook from top to bottom on the real runtime, and keeps what is the same next time."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from labkit import runtime
from labkit.build.asking import questions
from labkit.build.catalogue import Notebook
from labkit.errors import AuthoringError
from labkit.waiting import patience

CELL_SECONDS, KERNEL_SECONDS = 180, 60
IMPORTS = "from labkit import predict, quiz"
WIDGET = "application/vnd.jupyter.widget-view+json"


class CellFailed(AuthoringError):
    """A cell of a source raised an error."""

    code = "cell-failed"


class CodeChanged(AuthoringError):
    """Outputs are of other code."""

    code = "code-changed"


def execute(nb: Any, notebook: Notebook) -> Any:
    """Return the notebook with its outputs.

    Raises:
        CellFailed: a cell raised, and it is not announced by the tag ``raises-exception``.
    """
    notebook.target.parent.mkdir(parents=True, exist_ok=True)
    metadata = nbformat.from_dict(nb.metadata)
    with _own_state():
        client = NotebookClient(
            nb,
            timeout=int(CELL_SECONDS * patience()),
            startup_timeout=int(KERNEL_SECONDS * patience()),
            kernel_name="python3",
            record_timing=False,
            store_widget_state=False,
            resources={"metadata": {"path": str(notebook.target.parent)}},
        )
        try:
            client.execute()
        except CellExecutionError as problem:
            raise CellFailed(
                f"a cell of {notebook.source.name} raised an error",
                asked=f"run {notebook.source} from top to bottom",
                found=str(problem)[-1500:],
                look_at=str(notebook.source),
                fix="correct the cell, then build again",
            ) from problem
    nb.metadata = metadata  # without what the kernel says about itself
    return _cleaned(nb)


def with_outputs_of_before(nb: Any, notebook: Notebook) -> Any:
    """Return the notebook with the outputs of the last build, in which the code was the same.

    Cells that only ask a question need no lab: they are run, so that they may change and move.

    Raises:
        CodeChanged: another cell of code was not in that build, or was another one.
    """
    asking = {id(cell) for cell in questions(nb)}
    now = [c for c in nb.cells if c.cell_type == "code" and id(c) not in asking]
    stored = _stored(notebook)
    asked = {id(cell) for cell in questions(stored)}
    before = [c for c in stored.cells if c.cell_type == "code" and id(c) not in asked]
    old, new = ([(c.source, c.metadata.get("tags")) for c in cells] for cells in (before, now))
    if old != new:
        other = next((source for source, tags in new if (source, tags) not in old), "a cell less")
        raise CodeChanged(
            f"the code of {notebook.source.name} has changed",
            asked="keep the outputs of the last build",
            found=f"{other.partition(chr(10))[0]!r} was not run like this",
            look_at=str(notebook.source),
            fix="build without --text, which runs the notebook",
        )
    for one, two in zip(now, before, strict=True):
        one.outputs = two.outputs
    if asking:
        cells = [nbformat.v4.new_code_cell(IMPORTS), *questions(nb)]
        alone = execute(nbformat.from_dict({**nb, "cells": cells}), notebook)
        for one, two in zip(questions(nb), alone.cells[1:], strict=True):
            one.outputs = two.outputs
    for number, cell in enumerate((c for c in nb.cells if c.cell_type == "code"), 1):
        cell.execution_count = number
        cell.outputs = [_output(output, number) for output in cell.outputs]
    return nb


def _stored(notebook: Notebook) -> Any:
    if not notebook.target.exists():
        return nbformat.v4.new_notebook()
    return nbformat.read(notebook.target, as_version=4)


@contextmanager
def _own_state() -> Iterator[None]:
    """Give the kernel a state folder of its own, so that no evidence of the author leaks in."""
    programs = runtime.binaries()
    keep = {k: os.environ.get(k) for k in ("LABKIT_STATE", "LABKIT_DAPR_BIN")}
    with tempfile.TemporaryDirectory(prefix="build-") as folder:
        os.environ["LABKIT_STATE"] = str(Path(folder).resolve())
        os.environ["LABKIT_DAPR_BIN"] = str(programs.folder)
        try:
            yield
        finally:
            for name, value in keep.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def _cleaned(nb: Any) -> Any:
    for number, cell in enumerate((c for c in nb.cells if c.cell_type == "code"), 1):
        cell.execution_count = number
        cell.metadata.pop("execution", None)
        cell.outputs = _joined([_output(o, number) for o in cell.outputs])
    nbformat.validate(nb)
    return nb


def _output(output: Any, number: int) -> Any:
    data = output.get("data")
    if data is not None:
        data.pop(WIDGET, None)  # the model lives in a kernel that is gone
    if output.output_type == "execute_result":
        output.execution_count = number
    output.pop("transient", None)
    return output


def _joined(outputs: list[Any]) -> list[Any]:
    """Join stream outputs that follow each other: how they were cut is chance."""
    joined: list[Any] = []
    for output in outputs:
        last: Any = joined[-1] if joined else {}
        if output.output_type == "stream" and output.name == last.get("name"):
            last.text += output.text
        else:
            joined.append(output)
    return joined
