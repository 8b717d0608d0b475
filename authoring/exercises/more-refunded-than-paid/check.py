"""Nobody gets money that was not paid, and everybody gets what was."""

import sqlite3
from contextlib import closing

from labkit.exercises.observations import Check, besides, broken, ended, rows_of
from labkit.exercises.shop import (
    PAYMENT,
    SHIPPING,
    cancelled,
    drawn,
    failing_ledger,
    fulfilled,
    order_id,
)
from labkit.waiting import patience, wait_until

READY_SECONDS = 30.0
MOMENT_SECONDS = 15.0
RETRIES_SECONDS = 8.0
LOCKED_SECONDS = 30.0


def wished(case):
    yield ended(case)
    yield paid(case)
    yield from cancelled(case)


def counter(trial):
    lab = trial.lab()
    for how, changes in {
        "": {"card": "declined"},
        "with more goods than there are, ": {"quantity": 1000},
        "with a bank that does not answer, ": {"card": "silent"},
        "where nobody delivers, ": {"country": "AQ"},
    }.items():
        case = trial.order(given=drawn(trial.draw, **changes))
        yield from balanced(case, how)
    # The last one was paid, and was returned: money of somebody else, of the same amount.
    case = locked(trial, lab, amount=case.order["amount"])
    yield ended(case, within=RETRIES_SECONDS)
    unpaid = paid(case, "with a ledger that was locked, ")
    yield besides(unpaid, lambda: charged_in_vain(trial, lab))
    with lab.frozen(SHIPPING, "worker"):
        case = trial.order(given=drawn(trial.draw, country="AQ"))
        wait_until(lambda: case.steps("schedule_delivery"), MOMENT_SECONDS * patience(), "the call")
        lab.kill(PAYMENT)
        lab.up(PAYMENT, within=READY_SECONDS, announce=False)
    yield from cancelled(case, "after a kill of payment-service, ", within=5 * patience())
    yield paid(case, "after a kill of payment-service, ")
    yield from fulfilled(trial.order(given=drawn(trial.draw)), "when all goes well, ")


def charged_in_vain(trial, lab):
    """What is wrong with an order whose charge was begun and has failed, if anything."""
    given = drawn(trial.draw)
    with failing_ledger(lab, PAYMENT, "INSERT ON payments", given["order_id"]):
        case = trial.order(given=given)
        wait_until(lambda: is_undone(case), LOCKED_SECONDS * patience(), "the charge has failed")
    return broken(balanced(case, "with a charge that failed after it was begun, "))


def balanced(case, how):
    yield ended(case, within=RETRIES_SECONDS)
    yield paid(case, how)
    yield from returned(case, how)


def locked(trial, lab, **changes):
    """Order while the ledger of payment-service is locked, until the charge has failed."""
    with closing(sqlite3.connect(lab.app(PAYMENT).ledger, timeout=5, isolation_level=None)) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        case = trial.order(given=drawn(trial.draw, **changes))
        within = LOCKED_SECONDS * patience()
        wait_until(lambda: is_undone(case), within, "the charge has failed")
        lock.execute("ROLLBACK")
    return case


def is_undone(case):
    return case.steps("refund_payment") or case.run.has_ended


def sum_of(case, table):
    rows = rows_of(case.lab, PAYMENT, table)
    return sum(r["amount"] or 0 for r in rows if r["order_id"] == order_id(case))


def sums(case):
    return f"{sum_of(case, 'payments')} paid, {sum_of(case, 'refunds')} refunded"


def returned(case, how):
    """Nothing is left of an order, and all that was paid was returned: a mark is no money."""

    def kept():
        return "" if sum_of(case, "payments") == sum_of(case, "refunds") else sums(case)

    for one in cancelled(case, how):
        yield besides(one, kept) if one.id == "reverse" else one


def paid(case, how=""):
    """What was returned was paid; the tables are those of the service."""
    return Check(
        "paid",
        f"{how}what was refunded for the workflow {case.name} had been paid",
        "no more refunded than paid",
        lambda: sums(case),
        f'lab.ledger("{PAYMENT}", "payments"); lab.ledger("{PAYMENT}", "refunds")',
        lambda seen: sum_of(case, "payments") >= sum_of(case, "refunds"),
    )
