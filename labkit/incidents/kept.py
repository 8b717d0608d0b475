"""What is kept of an open incident, so that it can be left and taken up again.

One file in the state folder, for its user only. What is wrong stands in it sealed.
"""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from labkit import paths
from labkit.errors import ObservationError
from labkit.incidents.drawing import Sealed, seal, unseal
from labkit.reading import plainfile

MOST_BYTES = 64_000_000


class NoIncident(ObservationError):
    """There is no incident to go on with."""

    code = "no-incident"


@dataclass
class Placed:
    """One order of the load.

    Attributes:
        kind: its place among the kinds of the system.
        at: when it was placed, seconds since the epoch.
        refused: what the sidecar said, where it was not accepted; else "".
    """

    id: str
    kind: int
    given: Any
    at: float
    refused: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """What the learner says is wrong.

    Attributes:
        after: seconds on call.
        place: a file of the deployment, or a process.
        cause: one of those that there are.
        words: in the learner's own.
    """

    after: float
    place: str
    cause: str
    words: str = ""


@dataclass
class Kept:
    """An open incident.

    Attributes:
        spent: seconds on call in earlier sessions.
        since: when this session began; None before the page and while it is left.
        hurt: whether processes that an accident has ended are still as it left them.
        orders, diagnoses: oldest first.
    """

    sealed: Sealed
    spent: float = 0.0
    since: float | None = None
    hurt: bool = False
    orders: list[Placed] = field(default_factory=list)
    diagnoses: list[Diagnosis] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)
    _is_kept: bool = field(default=False, repr=False, compare=False)
    _is_closed: bool = field(default=False, repr=False, compare=False)

    @property
    def clock(self) -> float:
        """Seconds on call."""
        return self.spent + (time.time() - self.since if self.since else 0.0)

    def save(self) -> None:
        """Write all of it; a crash right after loses nothing.

        Threads may call it at the same time. What was closed, here or in another process, is not
        written again: an order that comes back late must not open it again.
        """
        with self._lock:
            if self._is_closed or (self._is_kept and not is_open()):
                return
            told = {
                "sealed": seal(self.sealed),
                "spent": self.clock,
                "hurt": self.hurt,
                "orders": [asdict(o) for o in self.orders],
                "diagnoses": [asdict(d) for d in self.diagnoses],
            }
            new = file().with_suffix(".new")
            paths.write_private(new, json.dumps(told))
            new.replace(file())
            self._is_kept = True

    def close(self) -> None:
        """Forget the open incident; its files and its evidence stay."""
        with self._lock:
            self._is_closed = True
            with suppress(FileNotFoundError):
                file().unlink()


def file() -> Path:
    """Return the file of the open incident."""
    return paths.state() / "incident.json"


def is_open() -> bool:
    """Whether an incident was begun and not closed."""
    return file().exists()


def load() -> Kept:
    """Return the open incident, as it was left.

    Raises:
        NoIncident: there is none, or its file cannot be read.
    """
    try:
        told = json.loads(plainfile.read(file(), MOST_BYTES))
        return Kept(
            unseal(told["sealed"], str(file())),
            float(told["spent"]),
            hurt=bool(told["hurt"]),
            orders=[Placed(**o) for o in told["orders"]],
            diagnoses=[Diagnosis(**d) for d in told["diagnoses"]],
            _is_kept=True,
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as problem:
        raise NoIncident(
            "there is no incident to go on with",
            asked="the incident that was left",
            found="none was begun" if not is_open() else f"{file()} cannot be read: {problem}",
            look_at=str(file()),
            fix="begin one: ./lab incident" if not is_open() else f"remove {file()}, then begin",
        ) from problem
