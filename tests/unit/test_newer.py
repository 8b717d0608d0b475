"""Files that were saved after a process started are named; what an app writes itself is not."""

from __future__ import annotations

import os

import pytest

from labkit.apps import newer

THEN = 1_000_000.0


def write(file, at):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("x")
    os.utime(file, (at, at))
    return file


def test_only_files_that_were_saved_later_are_named(tmp_path):
    write(tmp_path / "old.py", THEN - 1)
    new = write(tmp_path / "deep" / "new.py", THEN + 1)
    assert newer.newer([tmp_path], THEN) == [new]
    assert newer.newer([new, tmp_path / "old.py", tmp_path / "missing"], THEN) == [new]


@pytest.mark.parametrize(
    "name",
    [
        "__pycache__/main.cpython-311.pyc",
        ".venv/lib/x.py",
        ".ipynb_checkpoints/main-checkpoint.py",
        "ledgers/a.txt",
        "logs/a.txt",
        "store.sqlite",
        "store.sqlite-wal",
        "main.log",
        "main.py.yours-1",
        "dapr-x-grpc.socket",
        "main.py~",
    ],
)
def test_what_an_app_or_an_editor_leaves_is_not_counted(tmp_path, name):
    write(tmp_path / name, THEN + 1)
    assert newer.newer([tmp_path], THEN) == []


def test_what_a_service_keeps_for_itself_is_no_newer_code_and_a_new_script_is(tmp_path):
    write(tmp_path / "sent" / "0123-abcd", THEN + 1)
    write(tmp_path / "cache.bin", THEN + 1)
    script = write(tmp_path / "start", THEN + 1)
    script.chmod(0o755)
    assert newer.newer([tmp_path], THEN) == [script]


def test_a_folder_with_very_many_files_ends_the_search(tmp_path, monkeypatch):
    monkeypatch.setattr(newer, "LIMIT", 3)
    for number in range(10):
        write(tmp_path / f"d{number}" / "f.py", THEN + 1)
    assert 3 <= len(newer.newer([tmp_path], THEN)) <= 5
