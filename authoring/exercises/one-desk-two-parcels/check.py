"""Goods come back to the shelf only when no parcel holds them any more."""

import json
from datetime import datetime

from labkit.exercises.cases import Case, part
from labkit.exercises.observations import Check, besides, broken, ended, ordered
from labkit.exercises.shop import PAYMENT, cancelled, drawn, refund_fails_once, row_of
from labkit.waiting import patience, poll, wait_until

MOMENT_SECONDS = 30.0
READY_SECONDS = 30.0
RETRIES_SECONDS = 8.0
REFUND_FAILS = "with a refund that fails at its first try, "
# More than the longest pause between two tries. A call to an app that is not there does not reach
# the history, so the way back cannot be waited for by its name.
QUIET_SECONDS = 5.0


def steps(lab):
    first, sample = Case(lab, "order", "fulfil_order"), Case(lab, "sample", "ship_order")
    yield ordered(first)
    yield from wished(first, sample)


def wished(first, sample):
    yield ended(first)
    yield ended(sample)
    yield parcels(first, sample)
    yield from cancelled(first)


def counter(trial):
    count = trial.draw.number(2, 9)
    lab = trial.lab(STOCK=json.dumps({"book": 20, "chair": count}))
    within = MOMENT_SECONDS * patience()
    first = trial.order(given=drawn(trial.draw, country="IS", item="chair", quantity=count))
    wait_until(lambda: called(first, "schedule_delivery"), within, "the call of the carrier")
    lab.kill(PAYMENT)
    first.run.settle(QUIET_SECONDS)
    sample = trial.order("ship_order", given=drawn(trial.draw, item="chair", quantity=1))
    wait_until(lambda: sample.run.has_ended, within, "the end of the other order")
    lab.up(PAYMENT, within=READY_SECONDS, announce=False)
    # The call goes on seconds after its app is back, and then the rest of the way.
    poll(lambda: first.run.has_ended, within)
    yield from wished(first, sample)
    good = trial.order(given=drawn(trial.draw))
    no_parcel = trial.order(given=drawn(trial.draw, card="silent"))
    more = {"status": lambda: not_sent(good), "reverse": lambda: not_in_turn(trial, lab, no_parcel)}
    for one in cancelled(trial.order(given=drawn(trial.draw, country="AQ"))):
        yield besides(one, more[one.id]) if one.id in more else one


def not_in_turn(trial, lab, no_parcel):
    """What is wrong with orders of which no parcel is left, or whose refund takes its time."""
    silent = cancelled(no_parcel, "with a bank that does not answer, ", within=RETRIES_SECONDS)
    late = cancelled(refund_fails_once(trial, lab), REFUND_FAILS, within=RETRIES_SECONDS)
    return broken(silent) or broken(late)


def not_sent(case):
    """What became of an order that nothing is wrong with."""
    case.settled()
    status = part(case.output, "status")
    return "" if status == "fulfilled" else f"{status} when nothing is wrong with an order"


def called(case, name):
    return case.steps(name) or case.run.has_ended


def parcels(first, sample):
    """Whether the goods of the first order were sent to somebody else before it let them go."""

    def observe():
        row = row_of(first, "cancel_delivery")
        sent = [s.ended for s in sample.steps("schedule_delivery") if "scheduled" in s.value]
        if not row or not sent:
            return "1 parcel"
        left = row["cancelled_at"] and datetime.fromisoformat(row["cancelled_at"])
        return "1 parcel" if left and left < min(sent) else "2 parcels"

    return Check(
        "parcels",
        "no goods are in 2 parcels at the same moment",
        "1 parcel",
        observe,
        'lab.ledger("shipping-service", "deliveries"); the order of the compensations in '
        f"lab.run({first.instance_id!r}).history",
    )
