"""Activities of running services raise exceptions, before or after their work.

A hook that Python loads at the start of a service makes them do it (``hook/sitecustomize.py``), so
the service needs no change, and no start for the next fault.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from labkit.labs.lab import Lab

HOOK = Path(__file__).parent / "hook"
ASKED = "asked"


def hooked(raises: str = ASKED) -> dict[str, str]:
    """Return the environment of a service whose activities can raise.

    Args:
        raises: which call does, as the hook reads it; by default those that :func:`failing` names.
    """
    path = os.pathsep.join(filter(None, [str(HOOK), os.environ.get("PYTHONPATH", "")]))
    return {"PYTHONPATH": path, "LABKIT_RAISE": raises}


@contextmanager
def failing(
    lab: Lab, activity: str, when: Literal["before", "after"]
) -> Iterator[Callable[[], bool]]:
    """Within the block each call of an activity raises; the services were started ``hooked()``.

    No retry policy tries it again, so nobody has to wait.

    Args:
        activity: an activity of this name in another app raises, too.
        when: before or after it has done its work.

    Yields:
        A function that tells whether a call has raised.
    """
    asked, raised = ledgers(lab) / "raise", raised_in(lab)
    raised.unlink(missing_ok=True)
    asked.write_text(f"{when}:{activity}", "utf-8")
    try:
        yield raised.exists
    finally:
        asked.unlink(missing_ok=True)


def raised_in(lab: Lab) -> Path:
    """Return the file that is there when an activity of a lab has raised by the hook."""
    return ledgers(lab) / "raised"


def ledgers(lab: Lab) -> Path:
    """Return the folder in which the services of a lab have their ledgers."""
    return lab.folder / "ledgers"
