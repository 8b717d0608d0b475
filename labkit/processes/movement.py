"""Whether processes still do something, or wait for a core: then a deadline is not the end.

A process that is at rest after its deadline waits for something that will not come. One that
computes, or that the system does not let run because others have the cores, is not done yet. Linux
says both exactly, in nanoseconds: ``/proc/PID/task/TID/schedstat`` holds the time on a core and the
time spent waiting for one (Documentation/scheduler/sched-stats.rst of Linux).
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

LOOK_SECONDS = 2.0
"""For so long a process is looked at before it is said to be at rest."""
MOVES = 0.2
"""This share of the time on a core, or waiting for one, is movement; a lab at rest takes 0.03."""

WORKING, STARVED = 4.0, 15.0
"""So many times a deadline is waited: for processes that compute, and for those that want to."""


class Movement:
    """What a set of processes did between the last two looks at them.

    Attributes:
        shares: of the time, how long the most active process had a core, and how long the most
            patient one waited for one; None until they were looked at twice.
    """

    def __init__(self) -> None:
        self._seen: dict[int, tuple[float, float]] = {}
        self._at = 0.0
        self.shares: tuple[float, float] | None = None

    def goes_on(self, pids: Iterable[int]) -> bool:
        """Whether one of these processes moves; true until they were looked at long enough."""
        now = time.monotonic()
        if not self._seen or now - self._at >= LOOK_SECONDS:
            self._look({pid: spent(pid) for pid in pids}, now)
        return self.shares is None or max(self.shares) >= MOVES

    @property
    def most(self) -> float:
        """By what factor a deadline may be passed at most, while something moves."""
        return STARVED if self.is_starved else WORKING

    @property
    def is_starved(self) -> bool:
        """Whether a process wanted to run and did not get a core, more than it ran."""
        worked, waited = self.shares or (0.0, 0.0)
        return waited >= MOVES and waited > worked

    def _look(self, now_spent: dict[int, tuple[float, float]], now: float) -> None:
        """Note the greatest share of the time that one process had a core, or waited for one."""
        passed = now - self._at
        both = [(new, self._seen[p]) for p, new in now_spent.items() if p in self._seen]
        if self._seen:
            share = [max(((n[i] - b[i]) / passed for n, b in both), default=0.0) for i in (0, 1)]
            self.shares = (share[0], share[1])
        self._seen, self._at = now_spent, now


def spent(pid: int) -> tuple[float, float]:
    """Return the seconds that a process has had a core, and has waited for one, since its start.

    The second one is 0 where the system does not say it.
    """
    worked = waited = 0.0
    tasks = list(Path(f"/proc/{pid}/task").glob("*/schedstat"))
    for task in tasks:
        with suppress(OSError, ValueError):
            on_core, in_line = task.read_text("ascii").split()[:2]
            worked, waited = worked + int(on_core) / 1e9, waited + int(in_line) / 1e9
    if not tasks:
        with suppress(psutil.Error):
            worked = sum(psutil.Process(pid).cpu_times()[:2])
    return worked, waited
