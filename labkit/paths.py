"""Where things live: the repository, the learner's folder, the state of runs, the cache.

Every location can be moved by the environment, so that tests and classrooms keep apart:

``LABKIT_STATE``  everything a run writes, and ``learn`` in it; by default runs write to ``.lab``
                  in the repository, and ``learn`` is beside it
``LABKIT_CACHE``  what is worth keeping between clones (the Dapr binaries); default
                  ``$XDG_CACHE_HOME/dapr-multi-app-workflows``, else ``~/.cache/...``; where that
                  cannot be written, ``cache`` inside the state folder
"""

from __future__ import annotations

import os
from pathlib import Path

NAME = "dapr-multi-app-workflows"


def repo() -> Path:
    """Return the root of the repository."""
    return Path(__file__).resolve().parents[1]


def state() -> Path:
    """Return the folder for everything a run writes; created when missing."""
    return _made(Path(os.environ.get("LABKIT_STATE") or repo() / ".lab"))


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


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()
