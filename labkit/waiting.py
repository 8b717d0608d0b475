"""Waiting for a condition: poll, with a deadline, never a fixed sleep."""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from labkit.errors import ObservationError
from labkit.host.slowness import HERE

T = TypeVar("T")
POLL_SECONDS = 0.02
WAIT_SECONDS = 10.0
MOST_PATIENCE = 15.0
BUSY = 2.0
"""From this factor on a machine is called busy."""
ASK_SECONDS = 0.2
"""How often a deadline asks at most how busy the machine is, unless it is about to pass."""
_LOADAVG = "/proc/loadavg"


@dataclass(frozen=True)
class Reason:
    """Why a condition may never become true: what was found, where to look, what fixes it."""

    found: str
    look_at: str
    fix: str


EXPLAIN: list[Callable[[], list[Reason]]] = []
"""Asked when a wait was in vain; the lab of this kernel knows what has ended or failed."""


class NotInTime(ObservationError):
    """A condition did not become true before its deadline."""

    code = "not-in-time"


def patience() -> float:
    """Return by what factor a deadline must be longer now, because this machine is busy or slow.

    It is the number of runnable processes per core, at least 1 and at most 15: a machine of two
    cores with 24 of them needs twelve times as long for everything. The load average of the last
    minute counts, and on Linux the number at this moment when that is higher. Where the cores are
    taken by others unseen, it is how much longer than usual a small computation takes.
    """
    return min(MOST_PATIENCE, max(1.0, _runnable() / (os.cpu_count() or 1), HERE.factor()))


def busy() -> str:
    """Say how busy or slow this machine is, for an error about time; "" when it is neither."""
    if patience() < BUSY:
        return ""
    cores = os.cpu_count() or 1
    if _runnable() / cores >= HERE.factor():
        return f"this machine is busy: {_runnable():.0f} programs want to run on {cores} cores"
    return f"this machine is slow now: it computes {HERE.factor():.0f} times as long as usual"


def _runnable() -> float:
    found = 0.0
    with suppress(OSError):
        found = os.getloadavg()[0]
    with suppress(OSError, ValueError, IndexError):
        # "0.52 0.74 0.63 3/412 9876": 3 of 412 are runnable; the reader itself is one of them.
        now = Path(_LOADAVG).read_text("ascii").split()[3].partition("/")[0]
        found = max(found, float(now) - 1)
    return found


class Deadline:
    """The end of a wait, later on a machine that is or becomes busy or slow.

    How slow it is shows in many moments only: most of them meet no pause. So it is asked all the
    time, and what was found until the end counts.

    Attributes:
        grows: whether it is later on such a machine.
    """

    def __init__(self, seconds: float, *, grows: bool = True) -> None:
        """Begin to wait.

        Args:
            seconds: what a usual machine is given.
            grows: false for a deadline that somebody named: it stays what it is.
        """
        self._seconds, self.grows = seconds, grows
        self._began = time.monotonic()
        self._factor, self._asked = 1.0, self._began - ASK_SECONDS

    def left(self) -> float:
        """Return the seconds that are left; 0 or less when it has passed."""
        now = time.monotonic()
        if self.grows and (now - self._asked >= ASK_SECONDS or self._end <= now):
            self._factor, self._asked = patience(), now
        return self._end - now

    @property
    def _end(self) -> float:
        return self._began + self._seconds * self._factor


def poll(
    condition: Callable[[], T],
    within: float,
    every: float = POLL_SECONDS,
    *,
    grows: bool = False,
) -> tuple[T, bool]:
    """Ask ``condition`` until it is true or ``within`` seconds are over.

    Args:
        grows: ``within`` is for a usual machine; see :class:`Deadline`.

    Returns:
        The last answer, and whether it was true. It is asked at least once.
    """
    deadline = Deadline(within, grows=grows)
    while True:
        asked = time.monotonic()
        answer = condition()
        if answer:
            return answer, True
        left = deadline.left()
        if left <= 0:
            return answer, False
        time.sleep(min(pause(time.monotonic() - asked, every), left))


def pause(spent: float, every: float = POLL_SECONDS) -> float:
    """Return the seconds to sleep before the next question, when the last one took ``spent``.

    Asking takes a quarter of a core at most: what is waited for needs the cores itself.
    """
    return max(every, 3 * spent)


def wait_until(
    condition: Callable[[], T],
    within: float | None = None,
    what: str = "",
    *,
    usual: float = WAIT_SECONDS,
) -> T:
    """Return the first true answer of ``condition``.

    A question that has no answer yet (an ObservationError: no such table, no such instance) counts
    as not yet.

    Args:
        condition: a function without arguments; asked every 20 ms, or less often when it takes
            more than 7 ms itself.
        within: deadline in seconds, as named; None means ``usual``.
        what: what is waited for, in words, for the error.
        usual: deadline on a usual machine; on one that is busy or slow as many times that as
            :func:`patience` says.

    Raises:
        NotInTime: the deadline passed; carries the last answer.
    """
    began, given = time.monotonic(), usual if within is None else within
    unanswered: list[str] = []

    def asked() -> T | None:
        unanswered.clear()
        try:
            return condition()
        except ObservationError as problem:
            unanswered.append(f"{problem.title}: {problem.found}")
            return None

    answer, good = poll(asked, given, grows=within is None)
    if good and answer is not None:
        return answer
    what = what or _words_of(condition)
    waited = time.monotonic() - began if within is None else within
    found = f"last answer: {answer!r}" if not unanswered else f"no answer: {unanswered[0]}"
    reasons = [reason for explain in EXPLAIN for reason in explain()]
    seconds = f"{waited:.0f}" if waited >= 10 else f"{waited:.2g}"
    raise NotInTime(
        f"still waiting after {seconds} s",
        asked=f"wait until: {what}",
        found="; ".join([found, *(reason.found for reason in reasons)]),
        look_at=reasons[0].look_at
        if reasons
        else "lab.status(), and the logs: lab.app(app_id).logs('worker')",
        fix=reasons[0].fix
        if reasons
        else "make the condition true, or give it more time with wait_until(..., within=SECONDS)",
    )


def _words_of(condition: Callable[[], object]) -> str:
    """The line that makes a condition, as the learner wrote it; else its name."""
    with suppress(OSError, TypeError):
        return inspect.getsource(condition).strip().splitlines()[0]
    return getattr(condition, "__name__", "the condition")


def settled(question: Callable[[], T], quiet: float = 5, within: float = 60) -> T:
    """Return the answer once it has stayed the same for ``quiet`` seconds.

    For counts that grow for an unknown time: mails that are delivered again, for example.

    Raises:
        NotInTime: it still changed after ``within`` seconds.
    """
    answer, since = question(), time.monotonic()

    def is_quiet() -> bool:
        nonlocal answer, since
        new = question()
        if new != answer:
            answer, since = new, time.monotonic()
        return time.monotonic() - since >= quiet

    wait_until(is_quiet, within, f"no change for {quiet:g} s")
    return answer
