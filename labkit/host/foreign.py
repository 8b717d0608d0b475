"""Modules of somebody else that Python finds before those of this environment.

``PYTHONPATH``, and the folder in which a command is typed, come before the installed packages: a
file ``httpx.py`` there is what ``import httpx`` gets, in labkit and in every service.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from importlib import metadata
from importlib.machinery import PathFinder
from pathlib import Path

from labkit.errors import SetupError

_warned: set[str] = set()


class ForeignModule(SetupError):
    """A module of somebody else hides one of this environment."""

    code = "foreign-module"


def shadowed(folders: Iterable[str] | None = None) -> Iterator[tuple[str, Path]]:
    """Yield the names of modules that are hidden, and the files that hide them.

    Args:
        folders: where to look; none means those of PYTHONPATH.
    """
    own = [f for f in (folders or on_pythonpath()) if not _is_environment(f)]
    if not own:  # the list of names takes half a second
        return
    for name in sorted({*metadata.packages_distributions(), *sys.stdlib_module_names}):
        spec = PathFinder.find_spec(name, own) if name != "labkit" else None
        if spec is not None and spec.origin:
            yield name, Path(spec.origin)


def warn() -> None:
    """Say on standard error, once, that PYTHONPATH hides modules from services and notebooks."""
    if found := [f"{name} ({origin})" for name, origin in shadowed()]:
        said = f"PYTHONPATH hides modules of the course: {', '.join(found[:3])}"
        if said not in _warned:
            _warned.add(said)
            print(f"{said}\n  fix  unset PYTHONPATH, then start again", file=sys.stderr)


def on_pythonpath() -> list[str]:
    """Return the folders of PYTHONPATH."""
    return [f for f in os.environ.get("PYTHONPATH", "").split(os.pathsep) if f]


def explained(problem: BaseException) -> ForeignModule | None:
    """Return which foreign module an error came from or through; None when none did."""
    if isinstance(problem, SetupError):
        return None
    files = {f.filename for f in traceback.extract_tb(problem.__traceback__)}
    named = {str(getattr(problem, "path", "") or ""), str(getattr(problem, "filename", "") or "")}
    named.add(str(getattr(getattr(problem, "obj", None), "__file__", "")))
    for name, origin in shadowed([str(Path.cwd()), *on_pythonpath()]):
        if str(origin) in files | named:
            return _foreign(name, origin, problem)
    return None


def _foreign(name: str, origin: Path, problem: BaseException) -> ForeignModule:
    return ForeignModule(
        f"a file of somebody else hides the module {name}",
        asked=f"import {name}",
        found=f"{origin}; it ended with {type(problem).__name__}: {problem}",
        look_at=f"PYTHONPATH={os.environ.get('PYTHONPATH', '')}, and the folder you are in",
        fix=f"unset PYTHONPATH, or rename {origin.name}; then repeat",
    )


def _is_environment(folder: str) -> bool:
    """Whether a folder is part of this environment, or the course itself, which hide nothing."""
    return Path(folder).resolve() in {
        Path(__file__).resolve().parents[2],
        *(Path(p).resolve() for p in sys.path if Path(p).name in ("site-packages", "lib-dynload")),
    }
