"""Where things live: the course around labkit or elsewhere, folders that cannot be written."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from labkit import machine, paths
from labkit.cli import __main__ as cli
from labkit.paths import CourseMissing, StateNotWritable

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """labkit as it is in somebody's site-packages: without the course around it."""
    module = tmp_path / "site-packages" / "labkit" / "paths.py"
    monkeypatch.setattr(paths, "__file__", str(module))
    monkeypatch.delenv("LABKIT_COURSE", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_course_is_around_labkit_wherever_one_is_and_whatever_is_named(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LABKIT_COURSE", str(tmp_path))
    assert paths.repo() == REPO


def test_an_installed_labkit_finds_the_course_from_below_or_by_its_name(installed, monkeypatch):
    monkeypatch.chdir(REPO / "services" / "audit-service")
    assert paths.repo() == REPO
    monkeypatch.chdir(installed)
    monkeypatch.setenv("LABKIT_COURSE", str(REPO))
    assert paths.repo() == REPO


@pytest.mark.parametrize("named", ["", "somewhere"])
def test_without_the_course_the_way_to_it_is_said(installed, monkeypatch, named):
    monkeypatch.setenv("LABKIT_COURSE", named)
    with pytest.raises(CourseMissing) as caught:
        paths.repo()
    assert "services/dapr.yaml" in caught.value.asked
    assert "LABKIT_COURSE=FOLDER" in caught.value.fix


def test_every_command_without_the_course_says_so_without_a_traceback(tmp_path):
    """A copy of the package alone is what an installation holds."""
    (tmp_path / "labkit").symlink_to(REPO / "labkit")
    code = (
        "import sys, pathlib; sys.path.insert(0, '.'); from labkit import paths;"
        "paths.__file__ = str(pathlib.Path('labkit/paths.py').absolute().parent / 'x' / 'y');"
        "from labkit.cli.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    env = {k: v for k, v in os.environ.items() if not k.startswith("LABKIT_")}
    for verb in ("demo", "status", "setup", "doctor"):
        done = subprocess.run(
            [sys.executable, "-c", code, verb], cwd=tmp_path, env=env, capture_output=True,
            text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 1, verb
        assert "the files of the course are not here" in done.stdout + done.stderr, verb
        assert "Traceback" not in done.stderr, verb


def closed(monkeypatch, folder: Path) -> None:
    """Make a folder unwritable for this process, also when that is root."""
    access = os.access
    monkeypatch.setattr(os, "access", lambda p, m: Path(p) != folder and access(p, m))


@pytest.mark.parametrize("verb", ["demo", "start", "status", "next", "clean", "ps"])
def test_a_state_folder_that_cannot_be_written_is_said_so(monkeypatch, tmp_path, capsys, verb):
    monkeypatch.setenv("LABKIT_STATE", str(tmp_path))
    closed(monkeypatch, tmp_path)
    assert cli.main([verb]) == 1
    shown = capsys.readouterr().err
    assert "cannot be written" in shown
    assert str(tmp_path) in shown
    assert "LABKIT_STATE=FOLDER" in shown


def test_the_doctor_answers_all_other_questions_when_the_state_folder_is_closed(
    monkeypatch, tmp_path
):
    monkeypatch.setenv("LABKIT_STATE", str(tmp_path))
    closed(monkeypatch, tmp_path)
    report = machine.doctor()
    assert len(report) == len(machine.QUESTIONS)
    assert "cannot be written" in {f.what: f for f in report}["state folder"].problem


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_state_folder_that_cannot_be_made_is_said_so(monkeypatch, tmp_path, number):
    def refused(folder, *_, **__):
        raise OSError(number, os.strerror(number), str(folder))

    monkeypatch.setenv("LABKIT_STATE", str(tmp_path / "new"))
    monkeypatch.setattr(Path, "mkdir", refused)
    with pytest.raises(StateNotWritable) as caught:
        paths.state()
    assert os.strerror(number) in caught.value.found


def test_a_file_in_the_place_of_the_state_folder_is_said_so(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LABKIT_STATE", str(tmp_path / "file"))
    with pytest.raises(StateNotWritable) as caught:
        paths.state()
    assert "File exists" in caught.value.found


@pytest.mark.parametrize("home", ["home", "file-as-home"])
def test_a_cache_that_cannot_be_written_is_replaced_by_ones_own(monkeypatch, tmp_path, home):
    (tmp_path / "shared").mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "file-as-home").write_text("")
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "shared"))
    monkeypatch.setenv("HOME", str(tmp_path / home))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert paths.cache() == tmp_path / "shared"
    closed(monkeypatch, tmp_path / "shared")
    own = tmp_path / "home" / ".cache" / paths.NAME
    assert paths.cache() == (own if home == "home" else paths.state() / "cache")
    assert paths.caches()[0] == tmp_path / "shared"
