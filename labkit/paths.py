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
COURSE_FILES = ("services/dapr.yaml", "authoring/syllabus.yaml")
"""A folder that holds these is the course."""
_THIS_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class CourseMissing(SetupError):
    """labkit was imported without the files of the course around it."""

    code = "course-missing"


class StateNotWritable(SetupError):
    """A folder for what a run or a learner writes cannot be made or written.

    Its cause is an OSError.
    """

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


def private_folders() -> list[Path]:
    """Return the folders of this user that are to be closed to others; a named one is theirs."""
    return [folder for folder in (state(), learn(), runs()) if _is_ours(folder)]


def _is_ours(folder: Path) -> bool:
    named = os.environ.get("LABKIT_STATE")
    return not (named and folder == Path(named).resolve())


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


def own(folder: Path, *, made_before: bool = True) -> Path:
    """Return a folder of this user only; made when missing.

    Args:
        made_before: whether one that exists is ours as well.

    Raises:
        StateNotWritable: it cannot be made, or not be written by this user.
    """
    try:
        folder.mkdir(mode=OURS_ONLY, parents=True, exist_ok=True)
    except OSError as problem:
        raise _not_made(folder, problem) from problem
    if made_before:
        close(folder)
    if not _is_writable(folder):
        raise _not_made(folder, PermissionError(errno.EACCES, "Permission denied", str(folder)))
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
        "the disk is full" if full else f"a folder of the course cannot be {_short_of(folder)}",
        asked=f"a folder of your own: {folder}",
        found=f"{problem.strerror}: {problem.filename}",
        look_at=f"df -h {folder.parent}" if full else f"ls -ld {folder.parent} {folder}",
        fix="free some space, then repeat" if full else other,
    )


def _short_of(folder: Path) -> str:
    return "written" if folder.is_dir() else "made"


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
