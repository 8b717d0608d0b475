"""Notes which questions somebody on call asks the lab; the answers are the lab's own.

The questions are noted in the file of evidence, so a report can say what a diagnosis rested on.
What is asked by ``curl`` or read in an editor is not seen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

QUESTIONS = {
    **dict.fromkeys(("status", "troubles", "processes"), "processes"),
    **dict.fromkeys(("metadata", "is_healthy", "connected_workers"), "sidecar"),
    "placement_state": "placement",
    "logs": "log",
    "metrics": "metrics",
    **dict.fromkeys(("history", "show", "swimlane", "live"), "history"),
    **dict.fromkeys(("failure", "output", "input", "wait", "settle", "has_ended"), "result"),
    "inbox": "inbox",
    **dict.fromkeys(("ledger", "callers"), "ledger"),
    "newer_files": "files",
}
"""Name of an attribute to the kind of evidence that it gives."""
HANDLES = ("app", "run")
Note = Callable[[str, str], None]


class Asked:
    """A lab, an app or a run whose questions are noted.

    Args:
        target: what is asked.
        note: takes the kind of evidence and what it is about.
        about: an app ID or an instance ID; "" for the lab.
    """

    def __init__(self, target: Any, note: Note, about: str = "") -> None:
        self.__dict__.update(_target=target, _note=note, _about=about)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in QUESTIONS or (name == "status" and self._about):
            self._noted(QUESTIONS.get(name, "result"))
        found = getattr(self._target, name)
        if name in HANDLES and callable(found):
            return lambda id: Asked(found(id), self._note, str(id))
        if name == "started_apps":
            return lambda: [Asked(app, self._note, app.app_id) for app in found()]
        return found

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._target, name, value)

    def __repr__(self) -> str:
        return repr(self._target)

    def __dir__(self) -> list[str]:
        return dir(self._target)

    def _noted(self, kind: str) -> None:
        # Of a run the status is part of its result; of a lab it is about processes.
        is_run = hasattr(self._target, "instance_id")
        self._note("result" if is_run and kind == "processes" else kind, self._about)
