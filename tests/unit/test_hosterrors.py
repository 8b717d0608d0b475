"""What the system refuses, in the form of all errors, wherever it is met."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from labkit.cli import __main__ as cli
from labkit.cli import demo
from labkit.host import hosterrors
from labkit.notebook import cellerrors

FACES = {
    "full disk": (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/x/y"), "disk-full"),
    "quota": (OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)), "disk-full"),
    "permission": (PermissionError(errno.EACCES, "Permission denied", "/x"), "no-permission"),
    "read-only disk": (OSError(errno.EROFS, "Read-only file system", "/x"), "no-permission"),
    "folder as file": (IsADirectoryError(errno.EISDIR, "Is a directory", "/x"), "wrong-kind"),
    "file as folder": (NotADirectoryError(errno.ENOTDIR, "Not a directory", "/x"), "wrong-kind"),
    "open files": (OSError(errno.EMFILE, "Too many open files", "/x"), "limit-reached"),
    "processes": (BlockingIOError(errno.EAGAIN, "Resource unavailable"), "limit-reached"),
    "threads": (RuntimeError("can't start new thread"), "limit-reached"),
}


def raising(problem):
    def fail(*_, **__):
        raise problem

    return fail


@pytest.mark.parametrize(("problem", "code"), FACES.values(), ids=FACES)
def test_a_command_names_what_the_system_refused(monkeypatch, capsys, problem, code):
    monkeypatch.setattr(demo, "main", raising(problem))
    assert cli.main(["demo"]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith(code)
    assert all(f"\n  {label}" in shown for label in ("asked", "found", "look at", "fix"))


def test_a_full_disk_is_said_when_the_state_folder_is_to_be_made(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("LABKIT_STATE", str(tmp_path / "new"))
    monkeypatch.setattr(Path, "mkdir", raising(FACES["full disk"][0]))
    assert cli.main(["ps"]) == 1
    assert capsys.readouterr().err.startswith("state-not-writable: the disk is full")


@pytest.mark.parametrize("problem", [ValueError("mine"), RuntimeError("mine"), OSError("mine")])
def test_any_other_error_keeps_its_traceback(monkeypatch, problem):
    assert hosterrors.explained(problem) is None
    monkeypatch.setattr(demo, "main", raising(problem))
    with pytest.raises(type(problem)):
        cli.main(["demo"])


class Shell:
    """What IPython gives a handler of errors."""

    def __init__(self) -> None:
        self.user_global_ns: dict = {}
        self.shown: list[str] = []
        self.InteractiveTB = self

    def _get_exc_info(self, info):
        return info

    def structured_traceback(self, kind, problem, trace, tb_offset=None):
        return ["the whole traceback"]

    def _showtraceback(self, kind, problem, lines):
        self.shown = lines


def shown(function) -> list[str]:
    shell = Shell()
    try:
        function()
    except (OSError, RuntimeError) as problem:
        cellerrors._show(shell, type(problem), problem, problem.__traceback__)
    return shell.shown


@pytest.mark.parametrize(("problem", "code"), FACES.values(), ids=FACES)
def test_a_cell_shows_what_the_system_refused_to_labkit_in_short(monkeypatch, problem, code):
    monkeypatch.setattr(demo.argparse, "ArgumentParser", raising(problem))
    assert shown(demo.main)[0].startswith(code)


def test_an_error_of_the_learners_own_code_keeps_its_traceback():
    assert shown(raising(PermissionError(errno.EACCES, "Permission denied", "/x"))) == [
        "the whole traceback"
    ]
