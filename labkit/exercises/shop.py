"""What checks observe of ``services/fulfilment``: orders, and what became of goods and money.

Evidence is the ledgers of the services, the inbox and the history. What must hold for every order
is said once, in ``services/fulfilment/invariant.py``, and asked here.
"""

from __future__ import annotations

import runpy
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from functools import cache
from typing import Any

from labkit import paths
from labkit.errors import ObservationError
from labkit.exercises.cases import Case, part
from labkit.exercises.drawing import Draw
from labkit.exercises.observations import Check, besides, came_true, ended, rows_of
from labkit.exercises.trial import Trial
from labkit.labs.lab import Lab
from labkit.waiting import patience, wait_until

ORDER_API = "order-api"
INVENTORY = "inventory-service"
PAYMENT = "payment-service"
SHIPPING = "shipping-service"
RETRY = "activityRetry"
MOMENT_SECONDS = 15.0
MAIL_SECONDS = 10.0
"""How long a mail may come after the end of its order, on a usual machine."""


class UndoneBefore(ObservationError):
    """The scenario was run twice with one order, so nobody can say what the second run did."""

    code = "undone-before"


Effects = Mapping[str, tuple[str, str, str, str]]
EFFECTS: Effects = {
    "release_inventory": (INVENTORY, "reservations", "quantity", "released_at"),
    "refund_payment": (PAYMENT, "payments", "amount", "refunded_at"),
    "cancel_delivery": (SHIPPING, "deliveries", "quantity", "cancelled_at"),
}
"""Compensation to the table of what it undoes, the column of the effect, and that of the undoing.

In the order of the steps of ``fulfil_order``.
"""


def drawn(draw: Draw, **changes: Any) -> dict[str, Any]:
    """Return an order that a shop can fulfil, with drawn data."""
    return {
        "order_id": f"o-{draw.word()}",
        "item": "book",
        "quantity": draw.number(1, 3),
        "amount": draw.number(20, 900),
        "customer_email": draw.email(),
        **changes,
    }


@contextmanager
def failing_ledger(lab: Lab, app_id: str, statement: str, order_id: str) -> Iterator[None]:
    """Within the block the ledger of an app fails at a statement about one order.

    The error is none of a constraint: a service may expect such a one of a row that is there.

    Args:
        statement: as a trigger names it, e.g. ``INSERT ON payments``.
    """
    ledger, name = lab.app(app_id).ledger, f"fails_{''.join(filter(str.isalnum, order_id))}"
    overflow = "abs(-9223372036854775807 - (NEW.order_id IS NOT NULL))"
    with closing(sqlite3.connect(ledger, timeout=5, isolation_level=None)) as db:
        db.execute(
            f"CREATE TRIGGER {name} BEFORE {statement} WHEN NEW.order_id = '{order_id}'"
            f" BEGIN SELECT {overflow}; END"
        )
        try:
            yield
        finally:
            db.execute(f"DROP TRIGGER {name}")


def refund_fails_once(trial: Trial, lab: Lab, statement: str = "UPDATE ON payments") -> Case:
    """Order what nobody delivers; return when its refund has failed, at a statement of its ledger.

    It is tried again then, or the order has ended.
    """
    given = drawn(trial.draw, country="AQ")
    with failing_ledger(lab, PAYMENT, statement, given["order_id"]):
        case = trial.order(given=given)

        def failed() -> bool:
            return any(s.timer_for == RETRY for s in case.steps()) or case.run.has_ended

        wait_until(failed, usual=MOMENT_SECONDS, what="the refund has failed")
    return case


def row_of(case: Case, compensation: str, effects: Effects = EFFECTS) -> dict[str, Any] | None:
    """Return the row of what a compensation undoes, for the order of a case; None if none."""
    app_id, table, effect, _ = effects[compensation]
    mine = [r for r in rows_of(case.lab, app_id, table) if r["order_id"] == order_id(case)]
    return next((r for r in mine if r[effect] is not None), None)


def order_id(case: Case) -> Any:
    """Return the ID of the order of a case."""
    return case.order.get("order_id")


def done(case: Case, effects: Effects = EFFECTS) -> list[str]:
    """Return the compensations of what was done for an order, as its steps were done."""
    return [name for name in effects if row_of(case, name, effects)]


def undone(case: Case, effects: Effects = EFFECTS) -> list[str]:
    """Return the compensations that undid something, by the times in the ledgers.

    Raises:
        UndoneBefore: an earlier run of the same order has undone it.
    """
    found = [(row_of(case, n, effects) or {}, n, at) for n, (*_, at) in effects.items()]
    times = sorted((row[at], n) for row, n, at in found if row.get(at))
    if times and case.is_own:
        began = case.history.events[0].time
        if any(datetime.fromisoformat(at) < began for at, _ in times):
            raise UndoneBefore(
                "what this order had done was undone before it began",
                asked=f"what {case.instance_id} has undone",
                found=f"it began at {began:%H:%M:%S}, and the ledgers name {times[0][0]}",
                look_at="lab.ledger(APP_ID, TABLE)",
                fix="run the cell that makes the lab, then the scenario, once",
            )
    return [name for _, name in times]


# --- checks -----------------------------------------------------------------------------------


def holds(case: Case, how: str = "", id: str = "holds") -> Check:
    """The invariant of the course holds for the order."""

    def observe() -> str:
        try:
            _invariant()(case.lab, case.instance_id)
        except AssertionError as broken:
            return str(broken)
        return "all of it holds"

    return Check(
        id,
        f"{how}goods, money and parcels of the workflow {case.name} agree",
        "all of it holds",
        observe,
        "services/fulfilment/invariant.py; lab.ledger(APP_ID, TABLE)",
    )


def status_is(case: Case, status: str, how: str = "", id: str = "status") -> Check:
    """The result of the order has this status."""
    return Check(
        id,
        f'{how}the status in the result of the workflow {case.name} is "{status}"',
        status,
        lambda: part(case.output, "status"),
        f"lab.run({case.instance_id!r}).output",
    )


def reversed_(case: Case, how: str = "", effects: Effects = EFFECTS) -> Check:
    """All that was done is undone, the last one first."""
    return Check(
        "reverse",
        f"{how}what was done for the workflow {case.name} is undone, the last one first",
        _listed(list(reversed(done(case, effects)))),
        lambda: _listed(undone(case, effects)),
        "the columns released_at, refunded_at and cancelled_at in the ledgers",
    )


def reported(case: Case, how: str = "", effects: Effects = EFFECTS, id: str = "reported") -> Check:
    """The result names what was undone, in order, and what could not be."""

    def observe() -> str:
        rest = part(case.output, "not_undone")
        names = [r.get("step") for r in rest] if isinstance(rest, list) else rest
        return f"undone {part(case.output, 'undone')}, not_undone {names}"

    gone = undone(case, effects)
    left = [name for name in done(case, effects) if name not in gone]
    return Check(
        id,
        f"{how}the result of the workflow {case.name} names what was undone, and what was not",
        f"undone {gone}, not_undone {list(reversed(left))}",
        observe,
        f"lab.run({case.instance_id!r}).output",
    )


def cancelled(
    case: Case, how: str = "", within: float = 3.0, effects: Effects = EFFECTS
) -> Iterator[Check]:
    """The order ends, nothing of it is left, and the result says so."""
    yield ended(case, within=within)
    yield holds(case, how)
    yield status_is(case, "cancelled", how)
    yield reversed_(case, how, effects)
    yield reported(case, how, effects)


def fulfilled(
    case: Case, how: str = "", within: float = 3.0, *, informed: bool = True
) -> Iterator[Check]:
    """The order ends, was charged and is delivered.

    Args:
        informed: whether the customer has to get a mail, which may come after the end.
    """
    yield ended(case, within=within)
    yield holds(case, how)
    status = status_is(case, "fulfilled", how)
    yield besides(status, lambda: _uninformed(case)) if informed else status


def _uninformed(case: Case) -> str:
    """What is to be said when the customer gets no mail."""
    if not (customer := case.order.get("customer_email")):
        return ""
    came = came_true(lambda: case.lab.inbox.to(customer), MAIL_SECONDS * patience())
    return "" if came else "and no mail for the customer"


def ships(trial: Trial) -> Check:
    """The shorter saga of the same file works as before: it undoes what cannot be delivered."""
    small = trial.order("ship_order", given=drawn(trial.draw, country="AQ"))

    def observe() -> str:
        small.settled()
        undone = part(small.output, "undone")
        return f"{part(small.output, 'status')}, undone: {undone}"

    return Check(
        "others",
        "ship_order works as before",
        "cancelled, undone: ['release_inventory']",
        observe,
        "what else your change touches in the same file",
    )


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "nothing"


@cache
def _invariant() -> Callable[[Any, str], None]:
    file = paths.repo() / "services" / "fulfilment" / "invariant.py"
    return runpy.run_path(str(file))["holds"]  # type: ignore[no-any-return]
