"""One order is refunded once, whoever is killed, and however often it is sent."""

from labkit.exercises.cases import Case
from labkit.exercises.observations import (
    Check,
    besides,
    broken,
    ended,
    killed,
    ordered,
    rows_of,
)
from labkit.exercises.shop import (
    PAYMENT,
    SHIPPING,
    cancelled,
    drawn,
    fulfilled,
    order_id,
    refund_fails_once,
)
from labkit.waiting import patience, wait_until

READY_SECONDS = 30.0
MOMENT_SECONDS = 15.0
HELD_SECONDS = 6
HALVES = {
    "when the ledger fails as the refund is noted, ": "INSERT ON refunds",
    "when the ledger fails as the payment is marked, ": "UPDATE ON payments",
}


def steps(lab):
    case = Case(lab, "order", "fulfil_order")
    yield ordered(case)
    yield ended(case, within=6.0)
    yield killed(case, PAYMENT)
    yield once(case)
    yield from cancelled(case)


def counter(trial):
    lab = trial.lab(REFUND_SECONDS=str(HELD_SECONDS))
    case = trial.order(given=drawn(trial.draw, country="AQ"))
    within = MOMENT_SECONDS * patience()
    wait_until(lambda: refunds(case) or case.run.has_ended, within, "the refund")
    lab.kill(PAYMENT)
    lab.up(PAYMENT, within=READY_SECONDS, announce=False)
    how = "after a kill when the refund had left, "
    yield from refunded_once(case, how)
    yield from fulfilled(trial.order(given=drawn(trial.draw)), "when all goes well, ")
    yield from sent_twice(trial, lab)


def sent_twice(trial, lab):
    """The same order runs under two instance IDs, so its refund is called by two workflows."""
    given = drawn(trial.draw, country="AQ")
    with lab.frozen(SHIPPING, "worker"):
        cases = [trial.order(given=given) for _ in range(2)]
        for case in cases:
            wait_until(lambda c=case: at_shipping(c), MOMENT_SECONDS * patience(), "the call")
    halves = {how: refund_fails_once(trial, lab, at) for how, at in HALVES.items()}
    for case in cases:
        yield ended(case, within=HELD_SECONDS + 4 * patience())
        one = once(case, "when the order was sent twice, ")
        yield besides(one, lambda: repeated(halves)) if case is cases[-1] else one


def repeated(halves):
    """What is wrong with orders whose refund was tried again, if anything."""
    for how, case in halves.items():
        if found := broken(refunded_once(case, how)):
            return found
    return ""


def refunded_once(case, how):
    yield ended(case, within=HELD_SECONDS + 4 * patience())
    yield once(case, how)
    yield from cancelled(case, how)


def at_shipping(case):
    return case.steps("schedule_delivery") or case.run.has_ended


def refunds(case):
    return [r for r in rows_of(case.lab, PAYMENT, "refunds") if r["order_id"] == order_id(case)]


def once(case, how=""):
    return Check(
        "once",
        f"{how}the ledger has 1 refund for the workflow {case.name}",
        "1 refund",
        lambda: f"{len(refunds(case))} refund{'s' * (len(refunds(case)) != 1)}",
        f'lab.ledger("{PAYMENT}", "refunds"); lab.ledger("{PAYMENT}", "attempts")',
    )
