"""What is loaded with labkit: each kernel, each verb of the terminal and each check pays for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("jsonschema", "lark", "jupytext", "nbformat", "jupyterlab", "kubernetes_validate")
"""Each of them takes as long to load as Dapr's SDK, or longer, and few of the uses need it."""


@pytest.mark.parametrize(
    "modules", ["labkit.labs.lab", "labkit.exercises.checking", "labkit.preflight"]
)
def test_what_few_need_is_loaded_when_it_is_needed(modules):
    code = f"import sys, {modules}; print(*sorted(set({HEAVY}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "\n", "")
