"""``./lab clean``: what was removed, what stayed and why; others' cache is asked for twice."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from labkit import paths
from labkit.cli import __main__ as cli
from labkit.cli import clean
from labkit.labs import runs


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """A state folder with an ended run, a cache of one's own, a shared one, a course."""
    monkeypatch.setenv("LABKIT_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("XDG_CACHE_HOME", "LABKIT_CACHE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("home/.cache/" + paths.NAME, "shared", "course/services/ml-inference-service"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "shared" / "daprd").write_text("x")
    (tmp_path / "home" / ".cache" / paths.NAME / "daprd").write_text("x")
    (tmp_path / "state" / "learn").mkdir(parents=True)
    monkeypatch.setattr(paths, "repo", lambda: tmp_path / "course")
    runs.create(Path("dapr.yaml"), None).close()
    return tmp_path


def ended() -> list[Path]:
    return [r.path for r in runs.all_runs()]


def test_only_ended_runs_go_without_all(folders):
    assert cli.main(["clean", "--yes"]) == 0
    assert ended() == []
    assert (folders / "home" / ".cache" / paths.NAME / "daprd").exists()


def test_the_own_cache_goes_with_all(folders):
    assert cli.main(["clean", "--all", "--yes"]) == 0
    assert not (folders / "home" / ".cache" / paths.NAME).exists()


def test_a_cache_that_is_named_stays_and_is_said_to(folders, monkeypatch, capsys):
    monkeypatch.setenv("LABKIT_CACHE", str(folders / "shared"))
    assert cli.main(["clean", "--all", "--yes"]) == 0
    said = capsys.readouterr().out
    assert (folders / "shared" / "daprd").exists()
    assert f"stayed: {folders / 'shared'}" in said
    assert "LABKIT_CACHE names it" in said
    assert "removed 1 folder;" in said


def test_a_cache_that_is_named_goes_when_it_is_asked_for_twice(folders, monkeypatch):
    monkeypatch.setenv("LABKIT_CACHE", str(folders / "shared"))
    asked = []

    def answer(question):
        asked.append(question)
        return len(asked) < 2

    monkeypatch.setattr(clean, "_agreed", answer)
    cli.main(["clean", "--all", "--shared-cache"])
    assert len(asked) == 2
    assert "everybody" in " ".join(asked)
    cli.main(["clean", "--all", "--shared-cache", "--yes"])
    assert not (folders / "shared").exists()


def test_a_link_to_the_environment_of_others_is_removed_and_not_what_it_points_to(folders, capsys):
    (folders / "colleague").mkdir()
    (folders / "colleague" / "python").write_text("")
    link = paths.repo() / "services" / "ml-inference-service" / ".venv"
    link.symlink_to(folders / "colleague")
    assert cli.main(["clean", "--all", "--yes"]) == 0
    assert not os.path.lexists(link)
    assert (folders / "colleague" / "python").exists()


def test_what_cannot_be_removed_is_named_with_its_cause(folders, monkeypatch, capsys):
    (stubborn,) = ended()

    def refuse(folder, onerror=None, **_):
        denied = PermissionError(errno.EACCES, "Permission denied", str(folder))
        onerror(os.rmdir, str(folder), (PermissionError, denied, None))

    monkeypatch.setattr(shutil, "rmtree", refuse)
    assert cli.main(["clean", "--yes"]) == 1
    said = capsys.readouterr().out
    assert "removed 0 folders" in said
    assert f"stayed: {stubborn}" in said
    assert "PermissionError" in said


def test_nothing_to_remove_is_said(folders, capsys):
    cli.main(["clean", "--yes"])
    capsys.readouterr()
    assert cli.main(["clean", "--yes"]) == 0
    assert capsys.readouterr().out == "nothing to remove\n"
