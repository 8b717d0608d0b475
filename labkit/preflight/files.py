"""Questions about paths that never raise: what is closed or no path at all is not there.

Contents are read by :mod:`labkit.reading.plainfile`.
"""

from __future__ import annotations

from pathlib import Path


def is_folder(path: Path) -> bool:
    """Whether it is a folder that can be seen."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def is_file(path: Path) -> bool:
    """Whether it is a regular file, also behind a link; a pipe is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def leads_nowhere(path: Path) -> bool:
    """Whether it is a link to what is not there, or to itself."""
    try:
        return path.is_symlink() and not path.exists()
    except (OSError, ValueError):
        return True
