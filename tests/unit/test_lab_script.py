"""``./lab`` before anything is set up: help is help, and installs nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from labkit import paths


@pytest.fixture
def clone(tmp_path):
    """A copy of the repository without its environment, and a HOME with nothing in it."""
    for name in ("lab", "labkit", "requirements"):
        source = paths.repo() / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize(
    "words", [[], ["help"], ["--help"], ["test", "--help"], ["start", "-h"]], ids=" ".join
)
def test_help_installs_nothing(clone, words):
    before = {p.name for p in clone.iterdir()}
    env = {"PATH": os.environ["PATH"], "HOME": str(clone)}
    done = subprocess.run(
        [sys.executable, str(clone / "lab"), *words], env=env, capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "usage: ./lab VERB" in done.stdout
    assert {p.name for p in clone.iterdir()} == before


def test_help_of_a_verb_asks_for_no_lock_of_the_tests(clone):
    done = subprocess.run(
        [sys.executable, str(paths.repo() / "lab"), "test", "--help"], capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip
    assert "usage: ./lab" in done.stdout
    assert "installing" not in done.stderr
