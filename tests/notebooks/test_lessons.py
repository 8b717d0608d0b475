"""Every built lesson and solution, run from top to bottom; its outputs must be those stored.

Each notebook runs in a pytest of its own with a state folder of its own, so that no evidence of
one is seen by another.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from labkit import paths
from labkit.build.catalogue import notebooks
from labkit.waiting import patience

EXECUTED = [n.target for n in notebooks() if n.executed]
SOLUTIONS = [n.target for n in notebooks() if n.kind == "solution"]
SANITIZE = Path(__file__).with_name("sanitize.cfg")


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("notebook", EXECUTED, ids=[n.stem for n in EXECUTED])
def test_it_runs_and_gives_what_is_stored(notebook: Path, tmp_path: Path):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-o", "verbosity_assertions=2"),
            *("--nbval", "--nbval-current-env"),
            # Lesson 10 took 398 s in all at a load of 6 to 20: it plays faults on real systems.
            *(f"--nbval-cell-timeout={180 * patience():.0f}",),
            # That is what a cell has; the limit of a test in pyproject.toml is no limit of a cell.
            "--timeout=0",
            *("--nbval-sanitize-with", str(SANITIZE)),
            *("-p", "tests.support.without_iris", "-p", "nbval.plugin", "-p", "pytest_timeout"),
            *("-p", "no:cacheprovider", str(notebook)),
        ],
        cwd=paths.repo(),
        env={**os.environ, "LABKIT_STATE": str(tmp_path), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
    )
    shown = re.sub(r' style="[^"]*"', "", done.stdout)
    assert done.returncode == 0, shown[-6000:] + done.stderr[-2000:]


@pytest.mark.parametrize("notebook", SOLUTIONS, ids=[n.stem for n in SOLUTIONS])
def test_the_verdict_that_a_solution_holds_is_passed(notebook: Path):
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    checks = [c for c in cells if "".join(c["source"]).startswith("check(")]
    said = ["".join(o["data"]["text/plain"]) for c in checks for o in c["outputs"]]
    assert said
    assert all(s.startswith(f"{notebook.stem}: passed") for s in said), said
