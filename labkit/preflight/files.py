"""Questions about paths that never raise: what is closed or no path at all is not there.

Contents are read by :mod:`labkit.plainfile`; :func:`why_not` puts what it raises into words.
"""

from __future__ import annotations

import errno
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


def why_not(problem: OSError) -> tuple[str, str]:
    """Return why a file could not be read, and what to do about it."""
    why = f"it cannot be read: {problem.strerror or problem}"
    if isinstance(problem, PermissionError):
        return why, "give yourself the right to read it"
    if problem.errno == errno.EFBIG:
        return why, "split it, and name the part with the apps and the components"
    is_pipe = problem.errno == errno.EINVAL
    return why, "save it as a file, and name that" if is_pipe else "correct the path or the link"
