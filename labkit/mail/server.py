"""The lab's mail server as a provider with a capacity: makes it slow, or refuse; says what came.

It works on files in the folder of the inbox, which :mod:`labkit.mail.catcher` reads and writes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.mail.catcher import LIMIT, REFUSE, REFUSED, TRIES


@dataclass(frozen=True)
class Try:
    """One mail that reached a slow server.

    Attributes:
        to: the recipient.
        came, done: when it came, and when it was delivered or None; seconds of the epoch.
    """

    to: str
    came: float
    done: float | None


class MailServer:
    """The mail server of a lab.

    Args:
        folder: of its inbox.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def limit(self, at_once: int, seconds: float = 0.0) -> None:
        """Let it deliver so many mails at once, each in so many seconds; the others wait in line.

        With ``at_once=0`` it holds every mail until the limit changes. A client that gives up
        does not take its mail out of the line.
        """
        self._write(LIMIT, json.dumps({"at_once": at_once, "seconds": seconds}))

    def refuse(self) -> None:
        """Let it refuse every mail."""
        self._write(REFUSE, "")

    def recover(self) -> None:
        """Let it take every mail at once again."""
        for name in (LIMIT, REFUSE):
            (self._folder / name).unlink(missing_ok=True)

    def tries(self) -> list[Try]:
        """Return the mails that reached it while it had a limit, the first one first."""
        found: dict[int, dict[str, Any]] = {}
        for line in _lines(self._folder / TRIES):
            found.setdefault(line["number"], {}).update(line)
        return [Try(t["to"], t["came"], t.get("done")) for t in found.values() if "came" in t]

    def waiting(self) -> int:
        """Return how many mails it has taken and not delivered yet."""
        return sum(t.done is None for t in self.tries())

    def refused(self) -> list[str]:
        """Return the recipients of the mails that it has refused, one for each try."""
        with suppress(FileNotFoundError):
            return (self._folder / REFUSED).read_text("utf-8").split()
        return []

    def _write(self, name: str, text: str) -> None:
        """Replace a file at once: the server may read it at any moment."""
        self._folder.mkdir(exist_ok=True)
        new = self._folder / f"{name}.new"
        new.write_text(text, "utf-8")
        new.replace(self._folder / name)


def most_at_once(tries: Sequence[Try]) -> int:
    """Return how many of these mails were at the server at one moment, at most."""
    steps = sorted([(t.came, 1) for t in tries] + [(t.done, -1) for t in tries if t.done])
    most = now = 0
    for _, step in steps:
        now += step
        most = max(most, now)
    return most


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    text = ""
    with suppress(OSError):
        text = file.read_text("utf-8")
    for line in text.splitlines():
        with suppress(ValueError):  # half written
            entry = json.loads(line)
            if isinstance(entry, dict) and "number" in entry:
                yield entry
