"""The folders of lab runs: who is alive, which can be resumed, what was left behind.

One folder per run under ``.lab/runs``. A run is alive while somebody holds the lock of its folder:
the kernel, or the lifeline that still ends the processes of a kernel that is gone. So an answer
never rests on a pid that another program may have by now.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit import paths
from labkit.errors import StartError
from labkit.processes import lifeline, lives
from labkit.waiting import poll

KEEP = 5
"""How many runs that have ended are kept; a scheduler's data takes about 130 MB of each."""
NEEDED_MB = 200
"""Free disk that a new run needs; the scheduler's log of 64 MB is laid out twice at its start."""


class NoRoom(StartError):
    """The disk has too little room for another run."""

    code = "no-room-for-a-lab"


@dataclass
class RunFolder:
    """The folder of a run that belongs to this process, with its lock."""

    path: Path
    lock: int
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def run_id(self) -> str:
        """The name of the folder; it marks the processes of the run."""
        return self.path.name

    def note(self, **facts: Any) -> None:
        """Write facts about the run to ``run.json``, readable by this user only."""
        self.facts |= facts
        new = self.path / "run.json.new"
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            json.dump(self.facts, out, indent=1)
        new.replace(self.path / "run.json")

    def close(self) -> None:
        """Release the folder."""
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1


@dataclass(frozen=True)
class RunInfo:
    """What is known of a run.

    Attributes:
        alive: whether a kernel, or a lifeline that is still ending it, holds the run.
        kernel_pid: the process that started it.
        apps: app ID to ports and files, as the run wrote them.
        processes: pids that carry the mark of this run now.
    """

    id: str
    path: Path
    alive: bool
    kernel_pid: int | None
    apps: dict[str, dict[str, Any]]
    processes: tuple[int, ...]
    facts: dict[str, Any]

    @property
    def is_private(self) -> bool:
        """Whether a check made this lab for itself; no learner works in it."""
        return bool(self.facts.get("private"))

    @property
    def has_kernel(self) -> bool:
        """Whether the kernel that started it still runs; false while a lifeline ends the rest."""
        if not self.alive or self.kernel_pid is None:
            return False
        return lives.runs_still(self.kernel_pid, float(self.facts.get("kernel_created", 0)))

    @property
    def was_stopped(self) -> bool:
        """Whether ``./lab stop`` ended its processes and nothing was started since."""
        return lives.stopped(self.path) is not None


def create(run_file: Path, notebook: str | None, *, private: bool = False) -> RunFolder:
    """Make the folder of a new run, end what dead runs left behind, and remove old folders.

    Args:
        private: the lab of a check; the folder of the last one of this run file is removed.

    Raises:
        NoRoom: there is too little free disk, even without the runs that have ended.
        StateNotWritable: the folder cannot be made.
    """
    sweep()
    if private:
        _remove(r for r in _ended(private=True) if r.facts.get("run_file") == str(run_file))
    _prune_kind(KEEP - 1, private=private)
    _require_room()
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
    folder = paths.own(paths.runs() / name)
    run = RunFolder(folder, _locked(folder))
    run.note(
        id=name,
        created=time.time(),
        **_this_kernel(),
        run_file=str(run_file),
        notebook=notebook,
        private=private,
        token=secrets.token_hex(16),
    )
    return run


def _this_kernel() -> dict[str, Any]:
    """What identifies this process, and when it read the run file."""
    pid = os.getpid()
    return {"kernel_pid": pid, "kernel_created": lives.created_at(pid), "loaded_at": time.time()}


def resumable(run_file: Path, notebook: str | None) -> RunFolder | None:
    """Take over the newest run of this run file that has ended; prefers this notebook's own."""
    sweep()
    ended = [r for r in _ended() if r.facts.get("run_file") == str(run_file)]
    ended.sort(key=lambda r: (r.facts.get("notebook") == notebook, r.facts.get("created", 0)))
    while ended:
        info = ended.pop()
        lock = _locked(info.path)
        if lock >= 0:
            run = RunFolder(info.path, lock, dict(info.facts))
            run.note(**_this_kernel(), notebook=notebook)
            return run
    return None


def all_runs() -> list[RunInfo]:
    """Return all runs of this state folder, oldest first."""
    found = [_info(path) for path in sorted(paths.runs().iterdir()) if path.is_dir()]
    # The name of a folder holds whole seconds: two labs of one second are told apart by this.
    return sorted(found, key=lambda r: r.facts.get("created", 0.0))


def facts_of(folder: Path) -> dict[str, Any]:
    """Return the facts that a run has noted; nothing of a file that is not as we write it."""
    try:
        found = json.loads((folder / "run.json").read_text("utf-8"))
    except (OSError, ValueError, RecursionError):  # not written yet, or torn by a full disk
        return {}
    if not isinstance(found, dict):
        return {}
    return {k: v for k, v in found.items() if isinstance(v, _KINDS.get(k, object))}


def stamps(folder: Path) -> tuple[int, ...]:
    """Return what changes when a run starts or ends something: sizes and times of its records."""
    found = []
    for name in ("run.json", lives.JOURNAL):
        with suppress(OSError):
            stat = (folder / name).stat()
            found += [stat.st_size, stat.st_mtime_ns]
    return tuple(found)


def stop(run: RunInfo) -> list[int]:
    """End all processes of a run, and note in its journal that they were ended from outside.

    Returns:
        The pids that could not be ended; empty when all is well.
    """
    lives.note(run.path, "stop", at=time.time())
    return lifeline.end(run.id)


def sweep() -> None:
    """End the processes of runs whose kernel and lifeline are both gone; close all to others."""
    for run in all_runs():
        paths.close(run.path)  # an earlier version let others look in
        if not run.alive and run.processes:
            lifeline.end(run.id)


def prune(keep: int) -> None:
    """Remove the folders of ended runs, except the newest ``keep`` of labs and of private ones."""
    for private in (False, True):
        _prune_kind(keep, private=private)


def _prune_kind(keep: int, *, private: bool) -> None:
    ended = [r for r in _ended(private=private) if not r.processes]
    _remove(ended[: max(0, len(ended) - keep)])


def _ended(*, private: bool = False) -> list[RunInfo]:
    return [r for r in all_runs() if not r.alive and r.is_private == private]


def _remove(runs: Iterable[RunInfo]) -> None:
    for run in runs:
        shutil.rmtree(run.path, ignore_errors=True)


def _require_room() -> None:
    """Without room the scheduler ends with a Go panic, which says nothing to a learner."""
    if _free_mb() < NEEDED_MB:
        prune(1)
    free = _free_mb()
    if free < NEEDED_MB:
        raise NoRoom(
            "the disk has too little room for a lab",
            asked=f"{NEEDED_MB} MB in {paths.state()}",
            found=f"{free:.0f} MB free, after older runs were removed",
            look_at=f"df -h {paths.state()}",
            fix="free some space, or use another disk: LABKIT_STATE=FOLDER ./lab start",
        )


def _free_mb() -> float:
    return shutil.disk_usage(paths.state()).free / 1e6


def _locked(folder: Path) -> int:
    """Return an open descriptor that holds the lock of the folder, or -1 when it is held."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    # Somebody who only looks whether the run is alive holds the lock for a moment.
    _, mine = poll(lambda: _try_lock(descriptor, fcntl.LOCK_EX), within=0.3)
    if mine:
        return descriptor
    os.close(descriptor)
    return -1


def _is_held(folder: Path) -> bool:
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        return not _try_lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _info(path: Path) -> RunInfo:
    facts = facts_of(path)
    return RunInfo(
        id=path.name,
        path=path,
        alive=_is_held(path),
        kernel_pid=facts.get("kernel_pid"),
        apps=facts.get("apps", {}),
        processes=tuple(lifeline.marked(path.name)),
        facts=facts,
    )


_KINDS: dict[str, type | tuple[type, ...]] = {
    "apps": dict,
    "created": (int, float),
    "kernel_created": (int, float),
    "kernel_pid": int,
    "loaded_at": (int, float),
    "manifests": dict,
    "run_file": str,
    "token": str,
}
