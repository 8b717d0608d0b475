"""Lesson 15 on a machine without Prometheus: it runs to its end, and says what was recorded."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from labkit import runtime
from labkit.build import source
from labkit.build.catalogue import notebooks
from labkit.build.execute import execute
from labkit.prometheus import programs

LESSON = next(n for n in notebooks() if n.target.stem == "15-watch-it")
MARK = "(recorded on 1.18.1, not your run)"


@pytest.fixture
def without(monkeypatch, tmp_path):
    """A machine with Dapr and Python, and nothing else."""
    monkeypatch.setenv("LABKIT_DAPR_BIN", str(runtime.binaries().folder))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "cache"))
    assert programs.missing(), "the programs are hidden"


def said(cell) -> str:
    """Return what a cell shows, in plain text."""
    texts = (o.get("text") or o.get("data", {}).get("text/plain") or "" for o in cell.outputs)
    return "\n".join("".join(text).rstrip("\n") for text in texts)


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("without")
def test_the_lesson_runs_to_its_end_and_marks_what_was_recorded():
    stored = json.loads(Path(LESSON.target).read_text("utf-8"))
    shown = execute(source.read(LESSON), LESSON)  # raises where a cell does
    code = [c for c in shown.cells if c.cell_type == "code"]
    asks = [c for c in code if "played(" in c.source or "graded(" in c.source]
    assert len(asks) == 4
    for cell in asks:
        answers = [line for line in said(cell).splitlines() if MARK in line]
        observed = [line for line in said(cell).splitlines() if line.startswith("observed:")]
        assert answers
        assert all(MARK in line for line in observed), "no observation passes for one of now"
    assert said(asks[0]).startswith("promtool is not on this machine: ./lab prometheus gets it")
    assert sum("not on this machine" in said(c) for c in code) == 1, "said once"
    # What was recorded is what the lesson shows where Prometheus is.
    built = {c["id"]: c for c in stored["cells"] if c["cell_type"] == "code"}
    for cell in asks:
        there = [line for line in said(cell).splitlines() if "not on this" not in line]
        there = [line.replace(f" {MARK}", "") for line in there if not line.startswith("Until")]
        assert "\n".join(there) == said(_Cell(built[cell.id]))
    assert "not on this machine" not in said(_Cell(built[asks[0].id]))


class _Cell:
    def __init__(self, cell) -> None:
        self.outputs = cell["outputs"]
