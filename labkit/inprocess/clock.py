"""The virtual clock of a run in process, and the timers that are set on it."""

from __future__ import annotations

import heapq
import itertools
from datetime import datetime, timedelta
from typing import Any

from labkit.history import ENDED, answered_waits, records
from labkit.inprocess.instances import Instance

START = datetime(2026, 1, 1)
_NEVER_SECONDS = 253402300799  # a wait without time-out: the end of the year 9999


class Clock:
    """The virtual time, UTC without a zone; it moves when a timer is taken.

    Attributes:
        until: it does not move beyond; None is no limit.
    """

    def __init__(self) -> None:
        self.now = START
        self.until: datetime | None = None
        self._timers: list[tuple[datetime, int, Instance, int, Any]] = []
        self._count = itertools.count()

    def limit(self, within: timedelta | None) -> None:
        """Let it move on by so much at most."""
        self.until = None if within is None else self.now + within

    def finish(self) -> None:
        """Move to the limit, and take it away."""
        self.now, self.until = self.until or self.now, None

    def set(self, instance: Instance, fired: Any) -> None:
        """Set a timer, given the event that it fires with; a wait without time-out has none."""
        due = fired.timerFired.fireAt
        if due.seconds < _NEVER_SECONDS:
            entry = (due.ToDatetime(), next(self._count), instance, instance.generation, fired)
            heapq.heappush(self._timers, entry)

    def take(self) -> tuple[Instance, Any] | None:
        """Move to the next timer; return its instance and event, or None when none is due."""
        while self._timers and _is_void(*self._timers[0][2:]):
            heapq.heappop(self._timers)
        if not self._timers or (self.until is not None and self._timers[0][0] > self.until):
            return None
        due, _, instance, _, fired = heapq.heappop(self._timers)
        self.now = max(self.now, due)
        return instance, fired


def _is_void(instance: Instance, generation: int, fired: Any) -> bool:
    """Whether the runtime has deleted or ignores a timer: ended, continued, or answered."""
    if instance.status in ENDED or generation != instance.generation:
        return True
    events = records(instance.history, instance.app_id, instance.instance_id)
    return fired.timerFired.timerId in answered_waits(events)
