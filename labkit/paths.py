"""Where things live: the repository, the learner's folder, the state of runs, the cache.

Every location can be moved by the environment, so that tests and classrooms keep apart:

``LABKIT_STATE``   everything a run writes, and ``learn`` in it; by default runs write to ``.lab``
                   in the repository, and ``learn`` is beside it
``LABKIT_CACHE``   what is worth keeping between clones (the Dapr binaries); default
                   ``$XDG_CACHE_HOME/dapr-multi-app-workflows``, else ``~/.cache/...``; where that
                   cannot be written, ``cache`` inside the state folder
``LABKIT_COURSE``  the repository, for a labkit that was installed elsewhere; by default the folder
                   around labkit, else the first one from the working directory upwards that holds
                   the course
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from labkit.errors import SetupError

NAME = "dapr-multi-app-workflows"
COURSE_FILES = ("services/dapr.yaml", "authoring/syllabus.yaml")
"""A folder that holds these is the course."""


class CourseMissing(SetupError):
    """labkit was imported without the files of the course around it."""

    code = "course-missing"


class StateNotWritable(SetupError):
    """The folder for what runs write cannot be made or written."""

    code = "state-not-writable"


def repo() -> Path:
    """Return the root of the repository.

    Raises:
        CourseMissing: labkit is installed elsewhere, and the course is not found.
    """
    named = os.environ.get("LABKIT_COURSE")
    around = Path(__file__).resolve().parents[1]
    elsewhere = [Path(named).absolute()] if named else _upwards()
    for folder in (around, *elsewhere):
        if all((folder / file).is_file() for file in COURSE_FILES):
            return folder
    raise CourseMissing(
        "the files of the course are not here",
        asked=f"a folder with {' and '.join(COURSE_FILES)}",
        found=f"labkit in {around}, without the course; looked at besides: "
        + (", ".join(map(str, elsewhere)) or "nothing"),
        look_at="LABKIT_COURSE" if named else "the working directory: pwd",
        fix="go to the folder of the course, or name it: LABKIT_COURSE=FOLDER",
    )


def _upwards() -> list[Path]:
    """Return the working directory and the folders above it; none where it was removed."""
    with suppress(OSError):
        return [Path.cwd(), *Path.cwd().parents]
    return []


def state() -> Path:
    """Return the folder for everything a run writes; created when missing.

    Raises:
        StateNotWritable: it cannot be made, or not be written by this user.
        OSError: the disk is full.
    """
    folder = Path(os.environ.get("LABKIT_STATE") or repo() / ".lab")
    try:
        made = _made(folder)
        if not _is_writable(made):
            raise PermissionError(errno.EACCES, "Permission denied", str(made))
        return made
    except OSError as problem:
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise StateNotWritable(
            "the folder for what a lab writes cannot be written",
            asked=f"write {folder}",
            found=f"{type(problem).__name__}: {problem.strerror}: {problem.filename}",
            look_at=f"ls -ld {folder}",
            fix="make it a folder that you can write, or use another: "
            "LABKIT_STATE=FOLDER ./lab start",
        ) from problem


def runs() -> Path:
    """Return the folder that holds one folder per lab run."""
    return _made(state() / "runs")


def learn() -> Path:
    """Return the learner's folder, with notebooks and ``files``; created when missing."""
    moved = os.environ.get("LABKIT_STATE")
    return _made((Path(moved) if moved else repo()) / "learn")


def work() -> Path:
    """Return the folder for files that a learner writes in lessons and exercises."""
    return _made(learn() / "files")


def parts() -> Path:
    """Return the folder that remembers the parts of files which grow over several cells."""
    return _made(state() / "parts")


def cache() -> Path:
    """Return the folder for the runtime and packages: the first of :func:`caches` to be written."""
    for folder in caches():
        with suppress(OSError):
            made = _made(folder)
            if _is_writable(made):
                return made
    return _made(state() / "cache")


def caches() -> list[Path]:
    """Return the folders that may hold a runtime, the first one first; creates none.

    A folder that ``LABKIT_CACHE`` names may be shared and read-only: what it lacks goes to the
    user's own.
    """
    named = os.environ.get("LABKIT_CACHE")
    if named and _is_writable(_nearest(Path(named))):
        return [Path(named)]
    found = [Path(named)] if named else []
    with suppress(RuntimeError):  # no HOME at all
        base = os.environ.get("XDG_CACHE_HOME")
        found.append((Path(base) if base else Path.home() / ".cache") / NAME)
    return found


def _nearest(folder: Path) -> Path:
    """Return the folder itself, or the nearest one above it that exists."""
    return next(f for f in (folder.absolute(), *folder.absolute().parents) if f.exists())


def _is_writable(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()
