"""What somebody else names is read only if it is a file of a sensible size."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from labkit.reading import plainfile
from labkit.runfile import RunFileError, load


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def ring(path: Path) -> Path:
    path.symlink_to(path)
    return path


def to_pipe(path: Path) -> Path:
    path.symlink_to(pipe(path.with_name("pipe")))
    return path


def sock(path: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))
    return path


def huge(path: Path) -> Path:
    with path.open("wb") as out:
        out.truncate(50_000_000)
    return path


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (pipe, "it is a pipe, not a file"),
        (to_pipe, "it is a pipe, not a file"),
        (folder, "it is a folder, not a file"),
        (sock, "it is a socket, not a file"),
        (ring, "symbolic links"),
        (huge, "it is larger than 4 MB"),
        (lambda path: path, "No such file or directory"),
        (lambda path: Path("/dev/zero"), "it is a device, not a file"),
        (lambda path: Path(f"{path}\0"), "no path holds such a character"),
        (lambda path: Path(f"{path}\ud800"), "no path holds such a character"),
        (lambda path: path / ("x" * 5000), "File name too long"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_is_not_a_file_of_a_sensible_size_is_refused_at_once(tmp_path, make, words):
    with pytest.raises(OSError, match=words) as caught:
        plainfile.read(make(tmp_path / "x"), 4_000_000)
    assert words in caught.value.strerror


def test_a_file_that_a_pipe_replaces_meanwhile_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(plainfile, "require_regular", lambda path: None)
    with pytest.raises(OSError, match="it is a pipe"):
        plainfile.read(pipe(tmp_path / "x"), 100)


def test_a_file_of_just_the_size_is_read_also_behind_a_link(tmp_path):
    (tmp_path / "x").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("x")
    assert plainfile.read(tmp_path / "link", 5) == b"12345"
    with pytest.raises(OSError, match="larger than 4 bytes"):
        plainfile.read(tmp_path / "link", 4)


@pytest.fixture
def nobody():
    """The rights of a user who owns nothing; only root can take them."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    os.seteuid(65534)
    yield
    os.seteuid(0)


def test_a_file_of_another_user_is_named_as_closed(tmp_path, nobody):
    with pytest.raises(PermissionError) as caught:
        plainfile.read(tmp_path / "x", 100)
    assert plainfile.why_not(caught.value) == (
        "it cannot be read: Permission denied",
        "give yourself the right to read it",
    )
    with pytest.raises(RunFileError) as refused:
        load(tmp_path / "dapr.yaml")
    assert refused.value.fix == "give yourself the right to read it"


@pytest.mark.parametrize(
    ("make", "fix"),
    [(pipe, "save it as a file"), (huge, "split it"), (ring, "correct the path or the link")],
)
def test_each_reason_has_its_fix(tmp_path, make, fix):
    with pytest.raises(OSError, match=r"it is|links") as caught:
        plainfile.read(make(tmp_path / "x"), 4_000_000)
    assert plainfile.why_not(caught.value)[1].startswith(fix)
