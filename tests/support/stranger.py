"""Another user of the host: what they can read, and what everybody sees of a process."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

NAME = "nobody"


def can_read(path: Path) -> bool:
    """Whether another user can read a file or list a folder.

    Who is root becomes that user and tries. Nobody else can; then it is what the modes of the file
    and of all folders above it say.
    """
    return _tries(path) if os.geteuid() == 0 else _by_the_modes(path)


def readable(below: Path) -> list[Path]:
    """Return what another user can read of a folder and all that is in it."""
    return [p for p in [below, *below.rglob("*")] if not p.is_symlink() and can_read(p)]


def command_lines(pids: Iterable[int]) -> str:
    """Return the command lines of processes, as every user of the host sees them."""
    found = []
    for pid in pids:
        with suppress(OSError):  # it has ended
            found.append(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode())
    return "\n".join(found)


def _tries(path: Path) -> bool:
    user = pwd.getpwnam(NAME)
    command = ["test", "-r", str(path)]
    return not subprocess.call(command, user=user.pw_uid, group=user.pw_gid, extra_groups=())


def _by_the_modes(path: Path) -> bool:
    folders = all(p.stat().st_mode & stat.S_IXOTH for p in path.absolute().parents)
    return folders and bool(path.stat().st_mode & stat.S_IROTH)
