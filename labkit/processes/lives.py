"""What is known of a process after its start: whether it runs, how it ended, its telling log line.

A run folder keeps a journal of the starts and ends of its processes. So another kernel, ``./lab
ps`` and a check know as much of them as the kernel that started them. No answer rests on a pid
alone: the time at which the process was created belongs to it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

JOURNAL = "processes.jsonl"
SAME_SECONDS = 2.0
"""A clock that is set right moves the creation times that the system reports by about a second."""
LONGEST = 240
WHOLE = "this lab"
_STOPS = {
    "stop": ("was stopped by ./lab stop", "lab.up() starts everything again"),
    "down": (
        "was ended by lab.down(), or by a newer Lab() of its notebook",
        "make a new one: run the cell with Lab(run_file), then the scenario",
    ),
}
_FATAL = re.compile(r'level=fatal msg="((?:[^"\\]|\\.)*)"')
_MESSAGE = re.compile(r'^time="[^"]*" level=\w+ msg="((?:[^"\\]|\\.)*)"')
_FRAME = re.compile(r'\s+File "([^"]+)", line (\d+)')
_LIBRARY = re.compile(r"<|[/\\]lib[/\\]python[\d.]+[/\\]|[/\\]site-packages[/\\]")
_SYNTAX = ("SyntaxError: ", "IndentationError: ", "TabError: ")
_TRACEBACK = "Traceback (most recent call last):"


class Life(ABC):
    """One process from its start to its end; starts, signals and ends nothing.

    Attributes:
        name: how the lab calls it, e.g. ``notification-service worker``.
        pid, created: the process id, and the time (seconds of the epoch) at which it was created.
        log, log_start: the file with its output, and where in it this life begins, in bytes.
        started_at, ended_at: seconds since the epoch; ``ended_at`` is None while it runs.
    """

    name: str
    log: Path
    log_start: int
    started_at: float
    ended_at: float | None

    @property
    @abstractmethod
    def pid(self) -> int:
        """The process id."""

    @property
    @abstractmethod
    def exit_code(self) -> int | None:
        """None while it runs, or when it is not known; negative when a signal ended it."""

    @property
    @abstractmethod
    def is_alive(self) -> bool:
        """Whether it still runs."""

    def ending(self) -> str:
        """Say in words whether and how it ended."""
        if self.is_alive:
            return "running"
        how = _how(self.exit_code)
        after = (self.ended_at or time.time()) - self.started_at
        return f"ended with {how} after {after:.1f} s" if how else "ended, nobody saw how"

    def output(self) -> str:
        """Return what this life has written to its log, without what earlier ones wrote."""
        with suppress(OSError), self.log.open("rb") as log:
            log.seek(self.log_start)
            return log.read().decode("utf-8", "replace")
        return ""

    def tail(self, lines: int = 12) -> str:
        """Return the last lines of the log."""
        with suppress(OSError):
            return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:])
        return ""

    def last_line(self) -> str:
        """Return the line of the log that says best why it ended.

        It is "" when it wrote nothing, and when somebody else ended it by a signal.
        """
        return "" if self.was_killed else telling(self.output(), self.exit_code)

    @property
    def was_killed(self) -> bool:
        """Whether somebody ended it: then neither its files nor its log are the reason."""
        return -(self.exit_code or 0) in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


class Seen(Life):
    """A process of another kernel's lab, known by the journal of the run."""

    def __init__(self, folder: Path, entry: dict[str, Any]) -> None:
        self._folder, self._entry = folder, entry
        self._end: dict[str, Any] | None = None
        self.name, self.log = str(entry["name"]), folder / "logs" / str(entry["log"])
        self.log_start, self.started_at = int(entry["log_start"]), float(entry["started_at"])

    @property
    def pid(self) -> int:
        """The process id; another program may have it when this one has ended."""
        return int(self._entry["pid"])

    @property
    def is_alive(self) -> bool:
        """Whether it still runs: the same pid, created at the same time."""
        return not self._ended() and runs_still(self.pid, float(self._entry["created"]))

    @property
    def exit_code(self) -> int | None:
        """None while it runs, or when its kernel was gone before it ended."""
        end = self._ended()
        return int(end["code"]) if end else None

    @property
    def ended_at(self) -> float | None:  # type: ignore[override]  # read from the journal
        """When it ended; None while it runs, or when nobody saw it."""
        end = self._ended()
        return float(end["at"]) if end else None

    def _ended(self) -> dict[str, Any] | None:
        if self._end is None:
            own = (e for e in entries(self._folder) if e["event"] == "end")
            self._end = next((e for e in own if _belongs(e, self._entry)), None)
        return self._end


@dataclass(frozen=True)
class Trouble:
    """A process that a lab needs and that has ended.

    Attributes:
        name: an app ID, ``placement``, ``scheduler``, ``mail`` or ``redis``;
            ``this lab`` when all of it was ended.
        part: ``sidecar`` or ``worker`` of an app, else ``process``.
        how: how it ended, in words.
        last_line: the line of its log that says best why; "" when there is none.
        log: the file with its output.
        fix: the command or action that fixes it.
        since: when it ended, in seconds of the epoch.
    """

    name: str
    part: str
    how: str
    last_line: str
    log: Path
    fix: str
    since: float

    @property
    def title(self) -> str:
        """The process in words: ``notification-service worker``, or ``placement``."""
        return self.name if self.part == "process" else f"{self.name} {self.part}"

    def __str__(self) -> str:
        said = f'; its log says: "{self.last_line}"' if self.last_line else ""
        return f"{self.title} {self.how}{said}"


def trouble(life: Life, fix: str) -> Trouble:
    """Return the record of a process that has ended."""
    name, _, part = life.name.rpartition(" ")
    named = (name, part) if name else (part, "process")
    since = life.ended_at or life.started_at  # nobody saw the end: long ago
    return Trouble(*named, life.ending(), life.last_line(), life.log, fix, since)


def runs_still(pid: int, created: float) -> bool:
    """Whether the process with this pid is the one that was created at ``created``, and runs."""
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - created) < SAME_SECONDS
        return bool(same and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def created_at(pid: int) -> float:
    """Return when a process was created, in seconds of the epoch; now when it is gone already."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return time.time()


# --- the journal ---------------------------------------------------------------------------------


def note(folder: Path, event: str, **facts: Any) -> None:
    """Add a line to the journal of a run; one write, so lines of several threads do not mix."""
    line = json.dumps({"event": event, **facts}) + "\n"
    with suppress(OSError):  # a full disk, or a folder that was removed, must not end the lab
        journal = os.open(folder / JOURNAL, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(journal, line.encode())
        finally:
            os.close(journal)


def entries(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a journal, oldest first; a torn one is skipped."""
    text = ""
    with suppress(OSError):
        text = (folder / JOURNAL).read_text("utf-8", "replace")
    for line in text.splitlines():
        with suppress(ValueError, RecursionError):
            entry = json.loads(line)
            if isinstance(entry, dict) and "event" in entry:
                yield entry


def lives(folder: Path) -> list[Seen]:
    """Return all processes that a run has started, oldest first."""
    return [Seen(folder, e) for e in entries(folder) if e["event"] == "start"]


def started_by_the_lab(folder: Path, since: float = 0.0) -> list[str]:
    """Return the names of processes that ``lab.up`` has started again by itself.

    Args:
        since: in seconds since the epoch; what was before that does not count.
    """
    again = (e for e in entries(folder) if e["event"] == "again")
    return [str(e["name"]) for e in again if float(e.get("at", 0)) > since]


def newest(folder: Path) -> list[Seen]:
    """Return the newest process of each name, in the order of their first start."""
    return list({life.name: life for life in lives(folder)}.values())


def stopped(folder: Path) -> Trouble | None:
    """Return the record of a lab that was ended as a whole, unless something was started since."""
    last = None
    for entry in entries(folder):
        if entry["event"] in ("start", *_STOPS):
            last = entry
    if last is None or last["event"] == "start":
        return None
    how, fix = _STOPS[last["event"]]
    return Trouble(WHOLE, "process", how, "", folder / JOURNAL, fix, float(last["at"]))


def _belongs(end: dict[str, Any], start: dict[str, Any]) -> bool:
    return all(end[k] == start[k] for k in ("name", "pid", "created"))


# --- the telling line ----------------------------------------------------------------------------


def telling(text: str, exit_code: int | None = None) -> str:
    """Return the one line of a log that says best why its process ended.

    That is the ``panic:`` of a Go program, the message of a fatal log line, the exception of the
    Python traceback that ended the process with the line of the service it came from, else the
    last line.

    Args:
        exit_code: Python ends with 1 after a traceback; with another one, a traceback in the log
            is not the reason.
    """
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    found = _panic(lines) or _fatal(lines)
    if not found and exit_code in (None, 1):
        found = _exception(lines)
    if not found and lines:
        found = lines[-1].strip()
        if found.startswith(_SYNTAX):  # of the program itself: there is no traceback
            found += _place(lines)
    if message := _MESSAGE.match(found):
        found = _unquoted(message[1])
    return found if len(found) <= LONGEST else found[: LONGEST - 2].rpartition(" ")[0] + " …"


def _panic(lines: Sequence[str]) -> str:
    words = ("panic: ", "fatal error: ")
    return next((n.strip() for n in reversed(lines) if n.strip().startswith(words)), "")


def _fatal(lines: Sequence[str]) -> str:
    found = [m[1] for m in map(_FATAL.search, lines) if m]
    return _unquoted(found[-1]) if found else ""


def _exception(lines: Sequence[str]) -> str:
    """The line after the last traceback's frames; of a gRPC error the details, too."""
    starts = [n for n, line in enumerate(lines) if line == _TRACEBACK]
    if not starts:
        return ""
    after = [n for n in range(starts[-1] + 1, len(lines)) if not lines[n].startswith((" ", "\t"))]
    if not after:
        return ""
    details = (n.strip() for n in lines[after[0] :] if n.strip().startswith("details = "))
    more = next(details, "") if lines[after[0]].endswith("terminated with:") else ""
    return f"{lines[after[0]]} {more}".strip() + _place(lines[starts[-1] : after[0]])


def _place(lines: Sequence[str]) -> str:
    """Return file and line of the last frame that is no library's, in brackets; "" for none."""
    frames = [m.groups() for m in map(_FRAME.match, lines) if m]
    own = [(file, line) for file, line in frames if not _LIBRARY.search(file)]
    return f" ({Path(own[-1][0]).name}, line {own[-1][1]})" if own else ""


def _unquoted(text: str) -> str:
    return text.replace('\\"', '"').replace("\\n", " ").replace("\\t", " ")


def _how(code: int | None) -> str:
    if code is None:
        return ""
    if code >= 0:
        return f"exit code {code}"
    with suppress(ValueError):
        return f"signal {signal.Signals(-code).name}"
    return f"signal {-code}"
