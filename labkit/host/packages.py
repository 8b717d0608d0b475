"""A package that labkit needs and that this environment does not have, or cannot load."""

from __future__ import annotations

import sys
from pathlib import Path

from labkit import paths
from labkit.errors import SetupError


class PackageMissing(SetupError):
    """A package of the course is missing from this environment, or is damaged."""

    code = "package-missing"


def explained(problem: BaseException) -> PackageMissing | None:
    """Return which package an import did not find, or not load; None for any other error."""
    name = (getattr(problem, "name", None) or "").partition(".")[0]
    if not isinstance(problem, ImportError) or name in ("", "labkit"):
        return None
    return PackageMissing(
        f"the package {name} is missing from this environment, or is damaged",
        asked=f"import {problem.name}, with {sys.executable}",
        found=f"{type(problem).__name__}: {problem}",
        look_at=f"{sys.executable} -m pip list",
        fix=_fix(),
    )


def _fix() -> str:
    if Path(sys.prefix) == paths.repo() / ".venv":
        return "./lab setup; if that does not help: rm -r .venv, then ./lab setup"
    lock = paths.repo() / "requirements" / "course.lock"
    return f"{sys.executable} -m pip install --force-reinstall --no-deps -r {lock}"
