"""fulfil_order undoes what was done, the last first, whichever step fails and whoever is killed."""

from dataclasses import replace

from labkit.cuts.plan import cuts_of, points_of, sample
from labkit.cuts.play import struck
from labkit.exercises.cases import part
from labkit.exercises.observations import besides, ended, missed
from labkit.exercises.shop import (
    PAYMENT,
    SHIPPING,
    cancelled,
    drawn,
    fulfilled,
    reported,
    row_of,
    ships,
    status_is,
)
from labkit.waiting import patience, wait_until

READY_SECONDS = 30.0
MOMENT_SECONDS = 15.0
RETRIES_SECONDS = 8.0
HIDDEN = 3
"""Cuts at recorded events, other ones with each verdict."""
FAILING = {
    "with a card that is declined, ": {"card": "declined"},
    "with more goods than there are, ": {"quantity": 1000},
    "with a bank that does not answer, ": {"card": "silent"},
    "with a carrier that does not answer, ": {"country": "IS"},
}


def wished(case):
    yield from cancelled(case)


def counter(trial):
    lab = trial.lab()
    plain = trial.order(given=drawn(trial.draw, country="AQ"))
    yield from cancelled(plain)
    cases = {
        how: trial.order(given=drawn(trial.draw, **changes)) for how, changes in FAILING.items()
    }
    for how, case in cases.items():
        yield from cancelled(case, how, within=RETRIES_SECONDS)
    yield from left(trial.order(given=drawn(trial.draw, card="voucher", country="AQ")))
    yield from fulfilled(trial.order(given=drawn(trial.draw)), "when all goes well, ")
    yield from cuts(trial, lab)
    yield from hidden(trial, lab, plain)
    yield ships(trial)


def left(case):
    """One compensation is refused; the others are carried out, and the result names it."""
    how = "with a voucher, which cannot be refunded, "
    yield ended(case)
    yield status_is(case, "cancelled", how)
    yield besides(reported(case, how, id="left"), lambda: without_a_reason(case))


def without_a_reason(case):
    rest = part(case.output, "not_undone")
    if isinstance(rest, list) and all(r.get("reason") for r in rest):
        return ""
    return "a step without a reason"


def cuts(trial, lab):
    """Kill at two moments: money taken and nobody knows; all noted in memory only."""
    case = trial.order(given=drawn(trial.draw, card="abroad", country="AQ"))
    wait_until(lambda: row_of(case, "refund_payment"), MOMENT_SECONDS * patience(), "the payment")
    lab.kill(PAYMENT)
    lab.up(PAYMENT, within=READY_SECONDS, announce=False)
    yield from cancelled(case, "after a kill of payment-service, ", within=5 * patience())
    with lab.frozen(SHIPPING, "worker"):
        case = trial.order(given=drawn(trial.draw, country="AQ"))
        wait_until(lambda: case.steps("schedule_delivery"), MOMENT_SECONDS * patience(), "the call")
        lab.kill("order-api")
        lab.up("order-api", within=READY_SECONDS, announce=False)
    yield from cancelled(case, "after a kill of order-api, ", within=5 * patience())


def hidden(trial, lab, plain):
    """The cut engine kills at recorded events that are drawn, with amounts that are drawn."""
    points = points_of(plain.history)
    chosen = sample(list(cuts_of(points, ("worker", "target"))), HIDDEN, trial.draw.number())
    for number, cut in enumerate(chosen, 1):
        case = trial.order(given=drawn(trial.draw, country="AQ"))
        here = replace(cut, point=replace(cut.point, instance_id=case.instance_id))
        if struck(lab, here, case.instance_id) is None:
            raise missed(f"cut at {cut.point}", "the order ended without this event")
        for one in cancelled(case, f"after drawn kill {number}, ", within=5 * patience()):
            yield replace(one, look_at=f"{cut.victim} killed at {cut.point}; {one.look_at}")
