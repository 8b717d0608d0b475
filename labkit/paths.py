"""Where things live: the repository, the learner's folder, the state of runs, the cache.

Every location can be moved by the environment, so that tests and classrooms keep apart:

``LABKIT_STATE``  everything a run writes, and ``learn`` in it; by default runs write to ``.lab``
                  in the repository, and ``learn`` is beside it
``LABKIT_CACHE``  what is worth keeping between clones (the Dapr binaries); default
                  ``$XDG_CACHE_HOME/dapr-multi-app-workflows``, else ``~/.cache/...``; where that
                  cannot be written, ``cache`` inside the state folder

What is a learner's own (state, ``learn``, runs) is closed to other users of the host: mode 0700,
also where it was made before with another. A link is left alone, and so is a folder that
``LABKIT_STATE`` names and that was there before: only what we make in it is ours.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from labkit.errors import SetupError

NAME = "dapr-multi-app-workflows"
OURS_ONLY = 0o700
_THIS_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class StateNotWritable(SetupError):
    """A folder for what a run or a learner writes cannot be made; its cause is an OSError."""

    code = "state-not-writable"


def repo() -> Path:
    """Return the root of the repository."""
    return Path(__file__).resolve().parents[1]


def state() -> Path:
    """Return the folder for everything a run writes; created when missing."""
    named = os.environ.get("LABKIT_STATE")
    return own(Path(named), made_before=False) if named else own(repo() / ".lab")


def runs() -> Path:
    """Return the folder that holds one folder per lab run."""
    return own(state() / "runs")


def learn() -> Path:
    """Return the learner's folder, with notebooks and ``files``; created when missing."""
    moved = os.environ.get("LABKIT_STATE")
    return own((state() if moved else repo()) / "learn")


def work() -> Path:
    """Return the folder for files that a learner writes in lessons and exercises."""
    return own(learn() / "files")


def parts() -> Path:
    """Return the folder that remembers the parts of files which grow over several cells."""
    return own(state() / "parts")


def cache() -> Path:
    """Return the folder for the runtime; falls back to the state folder where HOME is read-only."""
    wanted = os.environ.get("LABKIT_CACHE")
    if wanted:
        return _made(Path(wanted))
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        folder = Path(base) if base else Path.home() / ".cache"
        made = _made(folder / NAME)
        if os.access(made, os.W_OK):
            return made
    except (OSError, RuntimeError):  # read-only or no HOME at all
        pass
    return _made(state() / "cache")


def own(folder: Path, *, made_before: bool = True) -> Path:
    """Return a folder of this user only; made when missing.

    Args:
        made_before: whether one that exists is ours as well.

    Raises:
        StateNotWritable: it cannot be made.
    """
    try:
        folder.mkdir(mode=OURS_ONLY, parents=True, exist_ok=True)
    except OSError as problem:
        raise _not_made(folder, problem) from problem
    if made_before:
        close(folder)
    return folder.resolve()


def write_private(file: Path, text: str) -> Path:
    """Write a file that holds a secret, for this user only from its first byte; return it."""
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
    return file


def _not_made(folder: Path, problem: OSError) -> StateNotWritable:
    full = problem.errno in (errno.ENOSPC, errno.EDQUOT)
    other = "make it writable, or use another place: LABKIT_STATE=FOLDER ./lab start"
    return StateNotWritable(
        "the disk is full" if full else "a folder of the course cannot be made",
        asked=f"a folder of your own: {folder}",
        found=f"{problem.strerror}: {problem.filename}",
        look_at=f"df -h {folder.parent}" if full else f"ls -ld {folder.parent} {folder}",
        fix="free some space, then repeat" if full else other,
    )


def close(folder: Path) -> None:
    """Close a folder of ours to others; a link, and what is another user's, stays as it is."""
    with suppress(OSError):  # a link, or not readable by us
        descriptor = os.open(folder, _THIS_FOLDER)
        try:
            found = os.fstat(descriptor)
            if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) & 0o077:
                os.fchmod(descriptor, OURS_ONLY)
        finally:
            os.close(descriptor)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()
