"""Reads a file that somebody else names: a regular file, and no more of it than is sensible.

A pipe would let the reader wait for ever, a device may act when it is opened, and a file of 50 MB
is no manifest. Each of them is an ``OSError`` whose ``strerror`` says so in plain words.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

_KINDS = {
    stat.S_IFDIR: "it is a folder, not a file",
    stat.S_IFIFO: "it is a pipe, not a file",
    stat.S_IFCHR: "it is a device, not a file",
    stat.S_IFBLK: "it is a device, not a file",
    stat.S_IFSOCK: "it is a socket, not a file",
}


def read(path: Path, most: int) -> bytes:
    """Return what is in a file; links are followed.

    Args:
        most: bytes; a larger file is refused.

    Raises:
        OSError: it cannot be read, is not a regular file, or is too large; ``strerror`` says why.
    """
    require_regular(path)
    # It may have been replaced by a pipe meanwhile: without O_NONBLOCK, opening that would wait.
    opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(opened, "rb") as file:
        _require_regular(os.fstat(opened), path)
        data = file.read(most + 1) or b""
    if len(data) > most:
        size = f"{most // 1_000_000} MB" if most >= 1_000_000 else f"{most} bytes"
        raise OSError(errno.EFBIG, f"it is larger than {size}", str(path))
    return data


def why_not(problem: OSError) -> tuple[str, str]:
    """Return why a file could not be read, and what to do about it."""
    why = f"it cannot be read: {problem.strerror or problem}"
    if isinstance(problem, PermissionError):
        return why, "give yourself the right to read it"
    if problem.errno == errno.EFBIG:
        return why, "split it, or name the part that matters"
    is_pipe = problem.errno == errno.EINVAL
    return why, "save it as a file, and name that" if is_pipe else "correct the path or the link"


def require_regular(path: Path) -> None:
    """Refuse what is not a regular file, without opening it.

    Raises:
        OSError: there is nothing, or something else.
    """
    try:
        found = path.stat()
    except ValueError as problem:  # a zero byte, or half a character
        raise OSError(errno.EINVAL, "no path holds such a character", str(path)) from problem
    _require_regular(found, path)


def _require_regular(found: os.stat_result, path: Path) -> None:
    kind = stat.S_IFMT(found.st_mode)
    if kind != stat.S_IFREG:
        raise OSError(errno.EINVAL, _KINDS.get(kind, "it is not a file"), str(path))
