"""The promise that must hold after every cut: a function of the learner's, loaded from a file."""

from __future__ import annotations

import importlib.util
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from labkit.errors import DeploymentError, ObservationError

Invariant = Callable[[Any, str], Any]
"""Takes the lab and the instance ID; see :func:`ask`."""
ASKING = "asking the invariant"
"""The name of the thread in which one is asked."""
Answer = tuple[bool | None, str]
"""True, False, or None when there was no answer; and what was said."""


class InvariantHangs(ObservationError):
    """An invariant does not return; its thread cannot be ended."""

    code = "invariant-hangs"


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
    except (Exception, SystemExit) as problem:  # it may end with sys.exit(main())
        raise _wrong(given, f"{type(problem).__name__}: {problem}", str(path)) from problem
    finally:
        sys.path.remove(str(path.parent))
    function = getattr(module, name, None)
    if not callable(function):
        own = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
        raise _wrong(given, f"{path.name} has no function {name!r}; it has {own}", str(path))
    return function  # type: ignore[no-any-return]


def ask(invariant: Invariant, lab: Any, instance_id: str, within: float) -> Answer:
    """Ask whether the promise holds.

    It holds when the function returns nothing, True or an empty list. It does not hold when it
    raises AssertionError, or returns False, a text or a list of texts.

    Args:
        within: seconds that the function may take.

    Returns:
        True, False, or None when it raised something else; and what it said.

    Raises:
        InvariantHangs: it has not returned in time.
    """
    answers: list[Answer] = []
    asked = threading.Thread(
        target=lambda: answers.append(_answer(invariant, lab, instance_id)),
        name=ASKING,
        daemon=True,
    )
    asked.start()
    asked.join(within)
    if answers:
        return answers[0]
    raise InvariantHangs(
        "the invariant does not return",
        asked=f"what it says of {instance_id}",
        found=f"no answer after {within:.0f} s",
        look_at="its loops, and what it waits for",
        fix="ask the ledgers, the history and the inbox once; the workflow has ended already",
    )


def _answer(invariant: Invariant, lab: Any, instance_id: str) -> Answer:
    try:
        said = invariant(lab, instance_id)
    except AssertionError as problem:
        return False, str(problem) or "an assertion without words"
    except BaseException as problem:  # sys.exit() in an invariant ends nothing but itself
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
