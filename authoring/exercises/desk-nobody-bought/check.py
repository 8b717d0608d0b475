"""Whichever way an order fails, its goods come back, and the next customer gets them."""

from labkit.cuts.raising import failing, hooked
from labkit.exercises.cases import Case
from labkit.exercises.observations import besides, broken, missed, ordered
from labkit.exercises.shop import cancelled, drawn, fulfilled
from labkit.waiting import patience, wait_until

MOMENT_SECONDS = 15.0


def steps(lab):
    first, second = (Case(lab, name, "fulfil_order") for name in ("order", "next"))
    yield ordered(first)
    yield from cancelled(first)
    yield from fulfilled(second, "the next customer gets the desk: ")


def counter(trial):
    lab = trial.lab(**hooked())
    client = lab.client("order-api")
    amount = trial.draw.number()
    silent = trial.order(given=drawn(trial.draw, amount=amount, item="lamp"))
    yield from cancelled(silent, "when nobody answers, ")
    refused = answered(trial, client, approved=False)
    yield from cancelled(refused, "after a no, ")
    yield from fulfilled(answered(trial, client, approved=True), "after a yes, ")
    declined = trial.order(given=drawn(trial.draw, card="declined"))
    yield from cancelled(declined, "with a card that is declined, ")
    more = {
        "holds": lambda: lost(trial, lab),
        "reported": lambda: approved_and_far(trial, client),
    }
    far = trial.order(given=drawn(trial.draw, country="AQ"))
    for one in cancelled(far, "where nobody delivers, "):
        yield besides(one, more[one.id]) if one.id in more else one


def lost(trial, lab):
    """What is left of an order whose goods are reserved and the answer is lost, if anything."""
    with failing(lab, "reserve_inventory", "after") as raised:
        case = trial.order(given=drawn(trial.draw))
        found = broken(cancelled(case, "when the answer of reserve_inventory is lost, "))
    if not found and not raised():
        raise missed("the answer of reserve_inventory is lost", "the order ended without that")
    return found


def approved_and_far(trial, client):
    """What is wrong with an order that fails after its approval, if anything."""
    case = answered(trial, client, approved=True, country="AQ")
    return broken(cancelled(case, "after a yes, where nobody delivers, "))


def answered(trial, client, *, approved, **changes):
    """Order something large, and answer as soon as the workflow asks."""
    case = trial.order(given=drawn(trial.draw, amount=trial.draw.number(), **changes))
    # An event that comes early is kept, so no moment is missed.
    client.raise_workflow_event(case.instance_id, "approval", data={"approved": approved})
    wait_until(lambda: case.run.has_ended, MOMENT_SECONDS * patience(), "the order ends")
    return case
