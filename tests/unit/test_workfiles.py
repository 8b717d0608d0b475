"""Files that a learner writes: grown in parts, never lost."""

from __future__ import annotations

import pytest

from labkit import paths
from labkit.runfile import load
from labkit.workfiles import WrongMagic, copy_of_services, save, workfile, workspace


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_STATE", str(tmp_path / "state"))


def test_a_file_grows_in_parts_and_any_part_can_be_written_again():
    save("a/main.py", "one\n", 1)
    save("a/main.py", "two\n", 2)
    save("a/main.py", "uno\n", 1)
    assert (paths.work() / "a/main.py").read_text() == "uno\n\n\ntwo\n"


def test_a_whole_file_over_parts_says_which_parts_are_gone():
    for number in (1, 2, 3):
        save("a/main.py", f"{number}\n", number)
    told = save("a/main.py", "whole\n")
    assert told.endswith("; parts 2 and 3 were removed: run their cells again")
    assert (paths.work() / "a/main.py").read_text() == "whole\n"
    save("a/main.py", "two\n", 2)
    assert save("a/main.py", "whole\n").endswith("; part 2 was removed: run its cell again")
    assert save("a/main.py", "whole\n") == "saved a/main.py: 1 lines"


def test_the_first_part_that_is_saved_again_keeps_the_later_ones():
    for number in (1, 2, 1):
        told = save("a/main.py", f"{number}\n", number)
    assert told == "saved a/main.py: 4 lines"


def test_a_part_says_which_earlier_parts_are_not_there_yet():
    told = save("a/main.py", "three\n", 3)
    assert told.endswith("; parts 1 and 2 are not saved yet: run their cells")
    told = save("a/main.py", "two\n", 2)
    assert told.endswith("; part 1 is not saved yet: run its cell")
    assert save("a/main.py", "one\n", 1) == "saved a/main.py: 7 lines"


def test_what_was_edited_by_hand_is_kept():
    save("a/main.py", "theirs\n")
    file = paths.work() / "a/main.py"
    file.write_text("mine\n")
    told = save("a/main.py", "theirs\n")
    assert "main.py.yours-1" in told
    assert file.with_name("main.py.yours-1").read_text() == "mine\n"
    save("a/main.py", "theirs\n")
    assert len(list(file.parent.glob("*.yours-*"))) == 1


def test_a_copy_of_services_is_a_deployment_that_can_be_read():
    run_file = copy_of_services("x", "audit-service", env={"SLOW_SECONDS": "1"})
    (app,) = load(run_file).apps
    assert (app.app_id, dict(app.env)) == ("audit-service", {"SLOW_SECONDS": "1"})
    (run_file.parent / "audit-service" / "main.py").write_text("mine")
    copy_of_services("x", "audit-service")
    assert (run_file.parent / "audit-service" / "main.py").read_text() == "mine"


@pytest.mark.parametrize("path", ["../x.py", "a/../../x.py", "/tmp/x.py", "folder/", "."])
def test_a_path_outside_the_folder_of_files_is_refused_and_nothing_is_written(path):
    with pytest.raises(WrongMagic):
        save(path, "x")
    assert not [p for p in paths.state().rglob("*") if p.is_file() or p.name == "x.py"]


def test_a_wrong_magic_says_how_it_is_written():
    with pytest.raises(WrongMagic) as caught:
        workfile("a b c d", "")
    assert "--part NUMBER" in caught.value.fix
    assert workspace("y").joinpath("components", "statestore.yaml").exists()
