"""How many times longer than usual this machine needs, measured while it works.

A machine of its own counts who wants to run on it (see :mod:`labkit.waiting`). A virtual one does
not see the others on its host: they take its cores for a moment, again and again, and its load
average stays low. Measured on such a host: programs ran for 20 ms and stood still for 200 ms, at a
load of 1.5 on 2 cores, and all took ten to forty times as long.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from statistics import fmean

COUNT, USUAL_SECONDS = 280_000, 0.003
"""A sum of so many numbers takes so long: CPython 3.11, one core of 2.9 GHz, nobody beside it."""
WINDOW_SECONDS, EVERY_SECONDS, AT_FIRST = 60.0, 0.5, 8
REST, MOST_REST_SECONDS = 30, 5.0
"""After a sum there is a rest of so many times what it took: a slow machine has better to do."""
FROM = 2.0
"""Below this factor a machine counts as usual: other processors, other versions of Python."""


class Slowness:
    """Keeps how long the same small sum took in the last minute; each measurement takes 3 ms."""

    def __init__(self) -> None:
        self._took: deque[tuple[float, float]] = deque()
        self._lock = threading.Lock()

    def factor(self) -> float:
        """Return how many times longer than usual the sum took in the mean, 1 for less than 2.

        The mean, as most of the sums meet no pause; what is waited for meets all of them.
        """
        with self._lock:
            now = time.monotonic()
            while self._took and self._took[0][0] < now - WINDOW_SECONDS:
                self._took.popleft()
            if not self._took:
                self._measure(AT_FIRST)
            elif self._took[-1][0] < now - self._rest():
                self._measure(1)
            mean = fmean(took for _, took in self._took)
        return mean / USUAL_SECONDS if mean >= FROM * USUAL_SECONDS else 1.0

    def _rest(self) -> float:
        return max(EVERY_SECONDS, min(REST * self._took[-1][1], MOST_REST_SECONDS))

    def _measure(self, times: int) -> None:
        for _ in range(times):
            began = time.monotonic()
            sum(range(COUNT))
            self._took.append((time.monotonic(), time.monotonic() - began))


HERE = Slowness()
