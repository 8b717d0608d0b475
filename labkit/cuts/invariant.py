"""The promise that must hold after every cut: a function of the learner's, loaded from a file."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from labkit.errors import DeploymentError

Invariant = Callable[[Any, str], Any]
"""Takes the lab and the instance ID; see :func:`ask`."""


class WrongInvariant(DeploymentError):
    """An invariant cannot be loaded."""

    code = "wrong-invariant"


def load(given: str) -> Invariant:
    """Return the function that ``FILE:FUNCTION`` names.

    Raises:
        WrongInvariant: there is no such file or function, or the file cannot be loaded.
    """
    file, colon, name = given.rpartition(":")
    if not colon or not name.isidentifier():
        raise _wrong(given, "it has not the form FILE:FUNCTION", file or given)
    path = Path(file).resolve()
    if not path.is_file():
        raise _wrong(given, f"there is no file {path}", str(path.parent))
    spec = importlib.util.spec_from_file_location(f"invariant_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise _wrong(given, f"{path.name} is no Python file", str(path))
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except Exception as problem:
        raise _wrong(given, f"{type(problem).__name__}: {problem}", str(path)) from problem
    finally:
        sys.path.remove(str(path.parent))
    function = getattr(module, name, None)
    if not callable(function):
        own = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
        raise _wrong(given, f"{path.name} has no function {name!r}; it has {own}", str(path))
    return function  # type: ignore[no-any-return]


def ask(invariant: Invariant, lab: Any, instance_id: str) -> tuple[bool | None, str]:
    """Ask whether the promise holds.

    It holds when the function returns nothing, True or an empty list. It does not hold when it
    raises AssertionError, or returns False, a text or a list of texts.

    Returns:
        True, False, or None when it raised something else; and what it said.
    """
    try:
        said = invariant(lab, instance_id)
    except AssertionError as problem:
        return False, str(problem) or "an assertion without words"
    except Exception as problem:
        return None, f"{type(problem).__name__}: {' '.join(str(problem).split())}"
    if said is None or said is True or said in ("", [], ()):
        return True, ""
    if said is False:
        return False, "it returned False"
    return False, said if isinstance(said, str) else "; ".join(map(str, said))


def _wrong(given: str, found: str, look_at: str) -> WrongInvariant:
    return WrongInvariant(
        "the invariant cannot be loaded",
        asked=f"--invariant {given}",
        found=found,
        look_at=look_at,
        fix="name a Python file and a function of it, as in invariant.py:holds",
    )
