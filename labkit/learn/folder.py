"""Makes the learner's folder, brings it up to date, and restores a notebook in it.

A copy that nobody edited or ran follows the course. One that was edited or run is kept, and the
new version is written beside it as ``NAME.new.ipynb``. Nothing is written half: a file appears
whole under its name, so an interrupted update goes on at the next start.
"""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import re
import shutil
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labkit import paths
from labkit.course import progress
from labkit.errors import ObservationError, StartError
from labkit.host.console import Console
from labkit.labs import runs
from labkit.learn import given, notebook
from labkit.learn.course import Copy, copies
from labkit.waiting import poll
from labkit.workfiles import set_aside, shown

BUSY_SECONDS = 30.0


class LearnFolderNotWritable(StartError):
    """The learner's folder cannot be written."""

    code = "learn-folder-not-writable"


class LearnFolderBusy(StartError):
    """Another command has been changing the learner's folder for too long."""

    code = "learn-folder-busy"


class NotebookDamaged(ObservationError):
    """A built notebook of the course cannot be read."""

    code = "notebook-damaged"


def update(console: Console | None = None) -> list[str]:
    """Make ``learn/``, or bring it up to date.

    Returns:
        What was done that a learner should know, in lines; empty when nothing changed.

    Raises:
        LearnFolderNotWritable: no permission, no room, or something else is in the way.
        LearnFolderBusy: another command did not finish within 30 s.
    """
    with _alone(console or Console()):
        paths.work()  # an empty folder shows where files will be
        said = _moved_from_before()
        known = copies()
        wanted = _wanted(known)
        done: dict[str, list[str]] = defaultdict(list)
        for copy, new in wanted.items():
            what, file = given.follow(copy.file, new)
            done[what].append(file.name)
        done["damaged"] = [str(c.source) for c in known if c not in wanted]
        done["gone"], done["earlier"] = _leftovers({c.file.name for c in known})
        return said + _lines(done, len(known))


def restore(copy: Copy, console: Console | None = None) -> list[str]:
    """Start a notebook over; an edited or run copy, and a lesson's files, are kept beside it.

    The files of an exercise are started over by :func:`labkit.exercises.reset`.

    Returns:
        What was done, in lines.

    Raises:
        NotebookDamaged: the built notebook cannot be read.
        LearnFolderNotWritable, LearnFolderBusy: as for :func:`update`.
    """
    with _alone(console or Console()):
        new = _wanted(copies()).get(copy)
        if new is None:
            raise _damaged(copy)
        kept = None if notebook.is_untouched(copy.file) else set_aside(copy.file)
        given.write(copy.file, new)
        given.forget_new(copy.file)
        files = _files_set_aside(new) if copy.is_lesson else []
        if copy.is_lesson:
            progress.note("reset", copy.id, lesson=copy.file.stem)
        return _restored(copy, kept, files)


def untouched() -> list[Path]:
    """Return the copies that are as they were given out."""
    return [p for p in sorted(paths.learn().glob("*.ipynb")) if notebook.is_untouched(p)]


def _wanted(known: list[Copy]) -> dict[Copy, notebook.Notebook]:
    """Return each notebook that can be read, as a learner gets it today."""
    names = {c.source.as_posix(): c.file.name for c in known}
    built = {c: notebook.read(paths.repo() / c.source) for c in known}
    return {c: notebook.cleaned(nb, c.source, names) for c, nb in built.items() if nb}


# --- the folder --------------------------------------------------------------------------------


@contextmanager
def _alone(console: Console) -> Iterator[None]:
    """Hold the folder: two commands at once take turns; every OSError gets its message."""
    try:
        with (paths.state() / "learn.lock").open("w") as lock:
            _lock(lock.fileno(), console)
            for torn in paths.learn().glob(given.TORN.format(name="*")):
                torn.unlink(missing_ok=True)
            yield
    except (OSError, paths.StateNotWritable) as problem:
        cause = problem if isinstance(problem, OSError) else problem.__cause__
        assert isinstance(cause, OSError)  # StateNotWritable has no other
        raise _not_writable(cause) from problem


def _lock(descriptor: int, console: Console) -> None:
    def held() -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    if held():
        return
    console.line("another ./lab is changing learn/; waiting for it")
    if not poll(held, BUSY_SECONDS, every=0.1)[1]:
        raise LearnFolderBusy(
            "another ./lab is still changing the learner's folder",
            asked=f"the lock of {paths.learn()} within {BUSY_SECONDS:g} s",
            found=f"{paths.state() / 'learn.lock'} is held by another process",
            look_at="ps, for ./lab start and ./lab reset",
            fix="let it finish, or end it with Ctrl-C in its terminal; then repeat",
        )


def _not_writable(problem: OSError) -> LearnFolderNotWritable:
    full = problem.errno in (errno.ENOSPC, errno.EDQUOT)
    where = problem.filename or os.environ.get("LABKIT_STATE") or paths.repo() / "learn"
    room = "free some space (./lab clean removes what runs left), then repeat"
    other = "make it a folder that you can write, or use another: LABKIT_STATE=FOLDER ./lab start"
    return LearnFolderNotWritable(
        "the disk is full" if full else "the learner's folder cannot be written",
        asked=f"write {where}",
        found=f"{type(problem).__name__}: {problem.strerror or problem}",
        look_at=f"df -h {where}" if full else f"ls -ld {where}",
        fix=room if full else other,
    )


def _damaged(copy: Copy) -> NotebookDamaged:
    return NotebookDamaged(
        f"{copy.source} cannot be read",
        asked=f"the notebook of {copy.number}",
        found="it is missing, or is not a notebook",
        look_at=str(paths.repo() / copy.source),
        fix=f"get it again: git restore {copy.source}",
    )


def _leftovers(names: set[str]) -> tuple[list[str], list[str]]:
    """Remove untouched copies that the course gives out no longer; return removed and kept."""
    gone, kept = [], []
    for file in sorted(paths.learn().glob("*.ipynb")):
        current = re.sub(r"\.new(-\d+)?\.ipynb$", ".ipynb", file.name) in names
        if current or notebook.version(file) is None:
            continue
        if notebook.is_untouched(file):
            file.unlink()
            gone.append(file.name)
        else:
            kept.append(file.name)
    return gone, kept


def _moved_from_before() -> list[str]:
    """Move files from where earlier versions of the course kept them; nothing is replaced."""
    old = paths.state() / "work"
    if not old.is_dir():
        return []
    _move_parts(old / ".parts")
    for path in sorted(old.iterdir()):
        target = paths.work() / path.name
        if os.path.lexists(target):
            target = _free(target)
        shutil.move(path, target)
    old.rmdir()
    return [f"your files moved from {old} to {paths.work()}"]


def _move_parts(old: Path) -> None:
    if old.is_dir():
        shutil.copytree(old, paths.parts(), dirs_exist_ok=True)
        shutil.rmtree(old)


def _free(target: Path) -> Path:
    names = (target.with_name(f"{target.name}.kept-{n}") for n in itertools.count(1))
    return next(n for n in names if not os.path.lexists(n))


def _files_set_aside(lesson: notebook.Notebook) -> list[Path]:
    """Keep the files of a lesson under another name; return where they are now."""
    names = notebook.folders(lesson)
    for name in names:
        shutil.rmtree(paths.parts() / name, ignore_errors=True)
    return [kept for kept in (set_aside(paths.work() / name) for name in names) if kept]


# --- what is said ------------------------------------------------------------------------------

_SAYS = {
    "made": "new in learn/: {names}",
    "followed": "brought up to date, because you had not changed them: {names}",
    "beside": "new versions, beside yours, which you edited or ran and which stay: {names}; "
    "to work with one instead of yours: ./lab reset NUMBER",
    "waiting": "new versions that are still beside yours: {names}",
    "damaged": "not readable; get them again with git restore: {names}",
    "gone": "removed, because the course no longer has them under these names: {names}",
    "earlier": "kept from an earlier course, because you edited or ran them: {names}",
}


def _lines(done: dict[str, list[str]], count: int) -> list[str]:
    if len(done["made"]) == count:
        done["made"] = []
        return [f"learn/ is made: {count} notebooks for you to work in", *_lines(done, -1)]
    return [s.format(names=", ".join(done[k])) for k, s in _SAYS.items() if done[k]]


def _restored(copy: Copy, kept: Path | None, files: list[Path]) -> list[str]:
    said = [f"{shown(copy.file)} is as the course gives it out"]
    said += [f"your copy is kept: {shown(kept)}"] if kept else []
    said += [f"your files are kept: {shown(path)}" for path in files]
    if copy.is_lesson:
        said += [f"a lab runs on the kept files; end it: ./lab stop {i}" for i in _labs_on(files)]
    return [*said, "if it is open in JupyterLab: File > Reload Notebook from Disk"]


def _labs_on(kept: list[Path]) -> list[str]:
    was = [p.with_name(p.name.rpartition(".kept-")[0]) for p in kept]
    running = [r for r in runs.all_runs() if r.processes]
    return [r.id for r in running if set(was) & set(Path(r.facts.get("run_file", "")).parents)]
