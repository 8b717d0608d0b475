"""The light load of an incident: an order every few seconds, while somebody investigates.

It holds back while many orders have no end: an instance whose call finds nobody asks once a second
for ever, and that would be a load of its own. After a change of the system it goes on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from labkit.errors import LabError
from labkit.exercises.cases import Case
from labkit.exercises.drawing import Draw
from labkit.incidents.kept import Kept, Placed
from labkit.incidents.systems import System, start
from labkit.infrastructure.controlplane import LEASE_SECONDS
from labkit.labs.lab import Lab
from labkit.waiting import patience, pause, poll

EVERY_SECONDS = 3.0
MOST_OPEN = 8
MOST_SINCE = 60
"""Orders after a change; what they do is known by then."""
JOIN_SECONDS = 30.0
SILENT_SECONDS = LEASE_SECONDS + 2.0
MOST_PATIENCE = 5.0


class Load:
    """Places orders, one after the other, in a thread of its own.

    Args:
        lab: gives the lab as it is now.
    """

    def __init__(self, lab: Callable[[], Lab], system: System, kept: Kept) -> None:
        self._lab, self.system, self.kept = lab, system, kept
        self._draw = Draw(kept.sealed.seed * 1000 + len(kept.orders))
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._next = 0
        self._served_at = 0.0

    def start(self) -> None:
        """Begin, or go on."""
        self._end = threading.Event()  # one that was stopped and has not come back stays stopped
        self._thread = threading.Thread(
            target=self._run, args=[self._end], daemon=True, name="load of orders"
        )
        self._thread.start()

    def stop(self) -> None:
        """Place no more orders; returns when the last call has come back."""
        self._end.set()
        if self._thread is not None:
            self._thread.join(JOIN_SECONDS)

    def place(self, number: int) -> Placed:
        """Place one order of the kind with this number, whatever comes of it."""
        kind = self.system.kinds[number]
        with self._lock:
            given = kind.given(self._draw)
            id = f"order-{len(self.kept.orders) + 1}"
            order = Placed(id, number, given, time.time())
            self.kept.orders.append(order)
        with suppress(LabError):
            app = self._lab().app(self.system.host)
            order.refused = start(app, kind, id, given)
            if kind.tell and not order.refused:
                kind.tell(self._lab(), id)
        return order

    def place_all(self, *, special: bool = False) -> list[Placed]:
        """Place one order of each kind; those of the start only if asked."""
        numbers = range(len(self.system.kinds))
        return [self.place(n) for n in numbers if special or self._is_usual(n)]

    def recent(self) -> list[Placed]:
        """Return the orders that were placed after the last change of the system."""
        moment = max(changed_at(self._lab()), self._served_at)
        return [o for o in self.kept.orders if o.at > moment]

    def await_scheduler(self) -> bool:
        """Wait while a new scheduler serves nobody, since one that was killed has the leadership.

        What is placed in that time is refused, or misses its event; it says nothing about a repair.

        Returns:
            whether there was anything to wait for; then recent orders are those from now on.
        """
        if not _is_new_and_silent(self._lab()):
            return False
        poll(lambda: not _is_new_and_silent(self._lab()), SILENT_SECONDS * MOST_PATIENCE, 0.5)
        self._served_at = time.time()
        return True

    def _is_usual(self, number: int) -> bool:
        return self.system.kinds[number].placed != "at the start"

    def _run(self, end: threading.Event) -> None:
        while not end.is_set():
            asked = time.monotonic()
            with suppress(LabError):  # a lab that was ended: the next one comes
                self._turn()
            end.wait(pause(time.monotonic() - asked, EVERY_SECONDS))

    def _turn(self) -> None:
        recent = self.recent()
        if len(recent) >= MOST_SINCE or len(self._without_end(recent)) >= MOST_OPEN:
            return
        usual = [n for n in range(len(self.system.kinds)) if self._is_usual(n)]
        number = usual[self._next % len(usual)]
        self._next += 1
        if self.system.kinds[number].placed == "once" and any(o.kind == number for o in recent):
            return
        self.place(number)
        self.kept.save()

    def _without_end(self, orders: Iterable[Placed]) -> list[Placed]:
        """Return those of which nobody knows an end; only as many as hold the load back."""
        found: list[Placed] = []
        for order in orders:
            kind = self.system.kinds[order.kind]
            open_ = kind.ends and not order.refused  # a refused one is no burden for anybody
            if open_ and not has_ended(self._lab(), self.system, order):
                found.append(order)
                if len(found) >= MOST_OPEN:
                    break
        return found


def _is_new_and_silent(lab: Lab) -> bool:
    started = max((p.started_at for p in lab.shared_lives() if p.name == "scheduler"), default=0.0)
    is_new = time.time() - started < SILENT_SECONDS * min(patience(), MOST_PATIENCE)
    return is_new and lab.silence() is not None


def has_ended(lab: Lab, system: System, order: Placed) -> bool:
    """Whether an order has come to an end; no when nobody answers."""
    with suppress(Exception):
        if lab.app(system.host).lacks_actor_store():
            return False
        return case_of(lab, system, order).run.has_ended
    return False


def case_of(lab: Lab, system: System, order: Placed) -> Case:
    """Return an order as checks look at it."""
    return Case(lab, order.id, system.kinds[order.kind].workflow, order.given)


def changed_at(lab: Lab) -> float:
    """Return when something of the system was last started, seconds since the epoch."""
    return max((p.started_at for p in lab.processes()), default=0.0)
