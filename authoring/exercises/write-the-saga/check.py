"""fulfil_order undoes what was done, the last first, whichever step fails and whoever is killed."""

from dataclasses import replace

from labkit.cuts.plan import cuts_of, points_of, sample
from labkit.cuts.play import struck
from labkit.cuts.raising import failing, hooked
from labkit.exercises.cases import part
from labkit.exercises.observations import besides, broken, ended, missed
from labkit.exercises.shop import (
    PAYMENT,
    SHIPPING,
    cancelled,
    drawn,
    fulfilled,
    refund_fails_once,
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
STEPS = ("reserve_inventory", "charge_payment", "schedule_delivery")


def wished(case):
    yield from cancelled(case)


def counter(trial):
    lab = trial.lab(**hooked())
    plain = trial.order(given=drawn(trial.draw, country="AQ"))
    yield from cancelled(plain)
    cases = {
        how: trial.order(given=drawn(trial.draw, **changes)) for how, changes in FAILING.items()
    }
    for how, case in cases.items():
        more = {}
        if case is list(cases.values())[-1]:
            more = {"holds": lambda: lost(trial, lab), "reverse": lambda: not_in_turn(trial, lab)}
        for one in cancelled(case, how, within=RETRIES_SECONDS):
            yield besides(one, more[one.id]) if one.id in more else one
    voucher = trial.order(given=drawn(trial.draw, card="voucher", country="AQ"))
    for one in left(voucher, "with a voucher, which cannot be refunded, "):
        yield besides(one, lambda: no_refund(trial, lab)) if one.id == "left" else one
    yield from fulfilled(trial.order(given=drawn(trial.draw)), "when all goes well, ")
    yield from cuts(trial, lab)
    yield from hidden(trial, lab, plain)
    yield ships(trial)


def lost(trial, lab):
    """What is left of an order when a step does its work and its answer is lost, if anything."""
    for step in STEPS:
        how = f"when the answer of {step} is lost, "
        if found := raising(trial, lab, step, "after", lambda case, how=how: cancelled(case, how)):
            return found
    return ""


def not_in_turn(trial, lab):
    """What is wrong with an order when its refund takes more than one try, if anything."""
    how = "with a refund that fails at its first try, "
    return broken(cancelled(refund_fails_once(trial, lab), how, within=RETRIES_SECONDS))


def no_refund(trial, lab):
    """What is wrong with an order whose refund raises an exception, if anything."""
    how = "with a refund that raises, "
    return raising(
        trial, lab, "refund_payment", "before", lambda case: left(case, how), country="AQ"
    )


def raising(trial, lab, activity, when, checks, **changes):
    """What does not hold for an order when an activity raises an exception."""
    with failing(lab, activity, when) as raised:
        case = trial.order(given=drawn(trial.draw, **changes))
        found = broken(checks(case))
    if not found and not raised():
        raise missed(f"{activity} raises {when} its work", "the order ended without that")
    return found


def left(case, how):
    """One compensation does nothing; the others are carried out, and the result names it."""
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
