"""Whichever way an order fails, its goods come back, and the next customer gets them."""

from labkit.exercises.cases import Case
from labkit.exercises.observations import ordered
from labkit.exercises.shop import cancelled, drawn, fulfilled
from labkit.waiting import patience, wait_until

MOMENT_SECONDS = 15.0


def steps(lab):
    first, second = (Case(lab, name, "fulfil_order") for name in ("order", "next"))
    yield ordered(first)
    yield from cancelled(first)
    yield from fulfilled(second, "the next customer gets the desk: ")


def counter(trial):
    lab = trial.lab()
    client = lab.client("order-api")
    amount = trial.draw.number()
    silent = trial.order(given=drawn(trial.draw, amount=amount, item="lamp"))
    yield from cancelled(silent, "when nobody answers, ")
    refused = answered(trial, client, approved=False)
    yield from cancelled(refused, "after a no, ")
    yield from fulfilled(answered(trial, client, approved=True), "after a yes, ")
    for how, changes in {
        "with a card that is declined, ": {"card": "declined"},
        "where nobody delivers, ": {"country": "AQ"},
    }.items():
        yield from cancelled(trial.order(given=drawn(trial.draw, **changes)), how)


def answered(trial, client, *, approved):
    """Order something large, and answer as soon as the workflow asks."""
    case = trial.order(given=drawn(trial.draw, amount=trial.draw.number()))
    # An event that comes early is kept, so no moment is missed.
    client.raise_workflow_event(case.instance_id, "approval", data={"approved": approved})
    wait_until(lambda: case.run.has_ended, MOMENT_SECONDS * patience(), "the order ends")
    return case
