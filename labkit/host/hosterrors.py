"""What the system refused, in the house's form: the disk, a permission, a limit of the user.

A command, a cell and the doctor meet the same few refusals of the system, wherever they come from.
This module names each one once: what was refused, what it is about, and what fixes it.
"""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from labkit.errors import SetupError

ELSEWHERE = "LABKIT_STATE=FOLDER ./lab start"
NO_THREAD = "can't start new thread"
"""CPython's RuntimeError when the limit on processes is reached."""


class DiskFull(SetupError):
    """There is no room left for what is written."""

    code = "disk-full"


class NoPermission(SetupError):
    """The system does not let this user read or write a file."""

    code = "no-permission"


class WrongKindOfFile(SetupError):
    """A file is where a folder must be, or the other way round."""

    code = "wrong-kind-of-file"


class LimitReached(SetupError):
    """The limit on open files or processes of this user is reached."""

    code = "limit-reached"


def explained(problem: BaseException) -> SetupError | None:
    """Return a refusal of the system in the house's form; None for any other error."""
    if isinstance(problem, RuntimeError) and NO_THREAD in str(problem):
        return _limit(problem, "processes", "-u")
    if not isinstance(problem, OSError):
        return None
    number = problem.errno
    if number in (errno.ENOSPC, errno.EDQUOT):
        return _full(problem)
    if number in (errno.EMFILE, errno.ENFILE):
        return _limit(problem, "open files", "-n")
    if number in (errno.EACCES, errno.EPERM, errno.EROFS) and problem.filename:
        return _refused(problem)
    if number in (errno.ENOTDIR, errno.EISDIR, errno.EEXIST) and problem.filename:
        return _wrong_kind(problem)
    if number == errno.EAGAIN and isinstance(problem, BlockingIOError) and not problem.filename:
        return _limit(problem, "processes", "-u")  # fork was refused
    return None


def _full(problem: OSError) -> DiskFull:
    where = problem.filename or os.environ.get("LABKIT_STATE") or Path.cwd()
    return DiskFull(
        "the disk is full",
        asked=f"write {where}",
        found=f"{problem.strerror}; {_free_mb(Path(where))}",
        look_at=f"df -h {where}",
        fix="free some space (./lab clean removes what earlier runs left), then repeat",
    )


def _free_mb(where: Path) -> str:
    """Say how much is free on the disk that holds a file, also one that does not exist."""
    for folder in (where, *where.absolute().parents):
        try:
            return f"{shutil.disk_usage(folder).free / 1e6:.0f} MB free"
        except OSError:
            continue
    return "free space unknown"


def _refused(problem: OSError) -> NoPermission:
    name = problem.filename
    return NoPermission(
        "a file or folder cannot be used by this user",
        asked=f"read or write {name}",
        found=f"{type(problem).__name__}: {problem.strerror}",
        look_at=f"ls -ld {name}",
        fix=f"make it yours (chmod, chown), or keep what runs write elsewhere: {ELSEWHERE}",
    )


def _wrong_kind(problem: OSError) -> WrongKindOfFile:
    return WrongKindOfFile(
        "a file or folder of the course is of the wrong kind",
        asked=f"use {problem.filename}",
        found=f"{type(problem).__name__}: {problem.strerror}",
        look_at=f"ls -ld {problem.filename}",
        fix="move it away, then repeat",
    )


def _limit(problem: BaseException, what: str, flag: str) -> LimitReached:
    return LimitReached(
        f"the limit on {what} of this user is reached",
        asked=f"one more of the {what}",
        found=f"{type(problem).__name__}: {problem}",
        look_at=f"ulimit {flag}; ./lab doctor",
        fix=f"end other programs, or raise the limit (ulimit {flag} 4096) and start again",
    )
