"""Orders in flight over the three apps of ``services/in-flight``, and a count of how they end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from labkit.apps.app import NoLedger
from labkit.errors import ObservationError
from labkit.history import ENDED
from labkit.labs.view import View
from labkit.waiting import patience, wait_until

ORDERS, APPROVALS, PAYMENTS = "orders", "approvals", "payments"
HELD = "STALLED"
PLACE_SECONDS, END_SECONDS = 60.0, 60.0
LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Tally:
    """How a number of orders have ended.

    Attributes:
        statuses: how many orders have which status.
        lost: orders that are not COMPLETED, or were not charged.
        doubled: orders that were charged more than once.
    """

    statuses: dict[str, int]
    lost: int
    doubled: int

    def __str__(self) -> str:
        ends = ", ".join(f"{count} {status}" for status, count in self.statuses.items())
        return f"{ends or 'no orders'}; lost {self.lost}, doubled {self.doubled}"


@contextmanager
def flying(lab: View, prefix: str, count: int = 50) -> Iterator[list[str]]:
    """Within the block orders are in flight; at its end all may go on.

    The first half waits for an approval. The second half is being charged: their calls have
    reached ``payments``, which waits, as the bank is closed. After the block the bank opens, and
    the first half is approved.

    Yields:
        The instance IDs.

    Raises:
        NotInTime: they do not stand there after 60 s, more on a busy machine.
    """
    names = [f"{prefix}-{number}" for number in range(count)]
    with bank_closed(lab):
        place(lab, names)
        approve(lab, names[count // 2 :])
        within = PLACE_SECONDS * patience()
        wait_until(lambda: all(_calls(lab, n, "charge") for n in names[count // 2 :]), within)
        yield names
    approve(lab, names[: count // 2])


@contextmanager
def bank_closed(lab: View) -> Iterator[None]:
    """Within the block every charge that was called waits."""
    closed = lab.folder / "ledgers" / "bank-is-closed"
    closed.parent.mkdir(exist_ok=True)
    closed.touch()
    try:
        yield
    finally:
        closed.unlink(missing_ok=True)


def place(lab: View, names: Sequence[str]) -> None:
    """Start orders; return when each waits for its approval.

    Raises:
        NotInTime: as in :func:`flying`.
    """
    client = lab.client(ORDERS)
    for name in names:
        client.schedule_new_workflow("order", input=name, instance_id=name)
    within = PLACE_SECONDS * patience()
    wait_until(lambda: all(lab.run(name).history.children for name in names), within)


def approve(lab: View, names: Sequence[str]) -> None:
    """Approve orders that wait for it."""
    client = lab.client(APPROVALS)
    for name in names:
        client.raise_workflow_event(f"approval-{name}", "approved")


def tally(lab: View, names: Sequence[str], held: Sequence[str] = (HELD,)) -> Tally:
    """Wait until all orders have ended or are held; count how.

    Args:
        held: statuses in which an order counts as held.

    Returns:
        The count; what still runs after 60 s, more on a busy machine, is counted as RUNNING.
    """
    deadline, left = time.monotonic() + END_SECONDS * patience(), list(names)
    while left and time.monotonic() < deadline:
        left = [name for name in left if status_of(lab, name) not in (*ENDED, *held)]
        time.sleep(LOOK_SECONDS)
    ends = {name: status_of(lab, name) for name in names}
    charges = charged(lab)
    lost = sum(ends[name] != "COMPLETED" or not charges[name] for name in names)
    doubled = sum(charges[name] > 1 for name in names)
    return Tally(dict(sorted(Counter(ends.values()).items())), lost, doubled)


def charged(lab: View, table: str = "charges") -> Counter[str]:
    """Return how often each order was charged; with ``starts``, how often that was begun."""
    with suppress(NoLedger):
        return Counter(str(row["order_id"]) for row in lab.ledger(PAYMENTS, table))
    return Counter()


def status_of(lab: View, name: str) -> str:
    """Return the status of an order, or why there is none."""
    try:
        return lab.run(name).status
    except ObservationError as problem:
        return problem.title


def _calls(lab: View, name: str, step: str) -> bool:
    return any(s.name == step for s in lab.run(name).history.own_steps())
