"""Which files of an app were saved after its process started, so that older ones are in use.

Looks at times of files only. What a running app writes itself (ledgers, logs, stores, byte code) is
not counted.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

LIMIT = 5000
"""Most files that are looked at in one folder; one with more is not the source of a service."""
_FOLDERS = {"__pycache__", "node_modules", "ledgers", "logs", "dist-info"}
_ENDINGS = (".pyc", ".log", ".db", ".tmp", ".swp", ".pid", ".lock", ".sock", ".socket", "~")
_PARTS = (".sqlite", ".yours-")
_SOURCES = {
    *(".py", ".pyi", ".sh", ".yaml", ".yml", ".json", ".toml", ".ini", ".cfg", ".conf", ".env"),
    *(".txt", ".sql", ".js", ".mjs", ".ts", ".go", ".java", ".cs", ".joblib", ".csv", ".html"),
}
"""Endings of what a service may be made of; another file counts when it can be executed."""


def newer(places: Iterable[Path], since: float) -> list[Path]:
    """Return the files in these places that were saved after ``since``, sorted.

    Args:
        places: files or folders; folders are searched to the bottom. Missing ones are skipped.
        since: seconds of the epoch.
    """
    found = {file for place in places for file in _files(place) if _saved(file) > since}
    return sorted(found)


def _files(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
        return
    seen = 0
    for folder, folders, files in os.walk(place):
        folders[:] = [f for f in folders if not f.startswith(".") and f not in _FOLDERS]
        for name in filter(_counts, files):
            file = Path(folder, name)
            if file.suffix in _SOURCES or os.access(file, os.X_OK):
                yield file
        seen += len(files)
        if seen > LIMIT:
            return


def _counts(name: str) -> bool:
    own = name.startswith(".") or name.endswith(_ENDINGS) or any(p in name for p in _PARTS)
    return not own


def _saved(file: Path) -> float:
    with suppress(OSError):  # removed while we look
        return file.stat().st_mtime
    return 0.0
