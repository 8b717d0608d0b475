"""What is a learner's own is closed to other users, also where an earlier version left it open."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from labkit import machine, paths
from labkit.cli import __main__ as lab
from labkit.host import people
from labkit.labs import runs

FOLDERS = {
    "runs": paths.runs,
    "learn": paths.learn,
    "learn/files": paths.work,
    "parts": paths.parts,
}


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


@pytest.fixture
def state(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("LABKIT_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def course(tmp_path, monkeypatch) -> Path:
    """A course whose folder is a temporary one, and no LABKIT_STATE."""
    monkeypatch.delenv("LABKIT_STATE", raising=False)
    monkeypatch.setattr(paths, "repo", lambda: tmp_path)
    tmp_path.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o027])
def test_every_folder_of_a_learner_is_made_for_its_user_only(state, umask):
    before = os.umask(umask)
    try:
        folders = [paths.state(), *(folder() for folder in FOLDERS.values())]
        folders.append(runs.create(Path("dapr.yaml"), None).path)
    finally:
        os.umask(before)
    assert {mode(folder) for folder in folders} == {0o700}


@pytest.mark.parametrize("made", [0o755, 0o777, 0o2775, 0o750])
def test_folders_that_were_made_with_another_mode_are_closed(course, made):
    for name in (".lab", ".lab/runs", ".lab/parts", "learn", "learn/files"):
        (course / name).mkdir()
        (course / name).chmod(made)
    assert mode(paths.state()) == 0o700
    for folder in FOLDERS.values():
        assert mode(folder()) == 0o700
    assert mode(course) == 0o755, "the course itself may be shared"


def test_the_folder_of_an_earlier_run_is_closed_by_the_next_one(state):
    earlier = runs.create(Path("dapr.yaml"), None)
    earlier.path.chmod(0o755)
    runs.create(Path("other.yaml"), None).close()
    assert mode(earlier.path) == 0o700
    earlier.path.chmod(0o755)
    earlier.close()
    taken = runs.resumable(Path("dapr.yaml"), None)
    assert taken is not None
    assert mode(taken.path) == 0o700
    taken.close()


def test_a_link_in_the_place_of_a_folder_is_followed_and_its_target_keeps_its_mode(course):
    for name, folder in (("learn", paths.learn), (".lab", paths.state)):
        target = course / f"shared-{name}"
        target.mkdir(mode=0o755)
        (course / name).symlink_to(target)
        assert folder() == target.resolve()
        assert mode(target) == 0o755
    assert mode(paths.runs()) == 0o700, "what we make in it is ours"


def test_a_folder_that_the_user_names_keeps_its_mode_and_what_is_made_in_it_is_closed(state):
    state.mkdir(mode=0o755)
    assert {mode(folder()) for folder in FOLDERS.values()} == {0o700}
    assert mode(paths.state()) == 0o755


def test_the_doctor_says_which_folder_is_open_and_who_else_is_here(course, monkeypatch):
    monkeypatch.setattr(people, "others", lambda: [])
    assert machine.other_users().problem is None
    assert "people" not in machine.other_users().evidence
    target = course / "a shared folder"
    target.mkdir(mode=0o755)
    (course / "learn").rmdir()
    (course / "learn").symlink_to(target)
    found = machine.other_users()
    assert found.problem == f"others may look into {target}"
    assert found.fix == f"chmod 700 '{target}'"
    monkeypatch.setattr(people, "others", lambda: ["anna", "ben"])
    assert "2 other people have accounts here" in machine.other_users().evidence
    assert "docs/loopback.md" in machine.other_users().evidence


def test_nothing_outside_is_touched(state, tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "beside").mkdir(mode=0o755)
    for folder in FOLDERS.values():
        folder()
    assert mode(tmp_path) == mode(tmp_path / "beside") == 0o755


def a_file(place: Path) -> None:
    place.write_text("")


def a_link_to_itself(place: Path) -> None:
    place.symlink_to(place)


def below_a_file(place: Path) -> None:
    place.write_text("")
    os.environ["LABKIT_STATE"] = str(place / "deeper")  # undone by the fixture


@pytest.mark.parametrize("in_the_way", [a_file, a_link_to_itself, below_a_file])
@pytest.mark.parametrize("verb", ["status", "next", "ps"])
def test_a_state_folder_that_cannot_be_made_is_named(state, in_the_way, verb, capsys):
    in_the_way(state)
    assert lab.main([verb]) == 1
    said = capsys.readouterr().err
    assert said.startswith("state-not-writable: a folder of the course cannot be made")
    assert "LABKIT_STATE=FOLDER" in said
