"""An order that is on its way ends at once, whatever becomes of its confirmation."""

from dataclasses import replace

from labkit.exercises.cases import NOTIFICATIONS, Case
from labkit.exercises.observations import Check, came_true, ended, mailed, ordered, says
from labkit.exercises.shop import cancelled, drawn, fulfilled, ships
from labkit.waiting import patience

WORKFLOW = "fulfil_order"
READY_SECONDS = 30.0
LATER_SECONDS = 30.0
HELD_UP = 8.0
"""Seconds after which an order is held up: PATIENCE is 3."""
OTHERS = ()


def steps(lab):
    case = Case(lab, "order", WORKFLOW)
    yield ordered(case)
    yield from fulfilled(case, informed=False)
    yield confirmed(case, False, "notification-service is away", "confirmed")
    yield later(case, "when notification-service is back, ")


def counter(trial):
    lab = trial.lab()
    plain = trial.order(given=drawn(trial.draw))
    yield from fulfilled(plain, informed=False)
    yield confirmed(plain, True, "the mail is sent", "confirmed")
    yield mailed(plain, plain.order["customer_email"], who="the customer")
    undone = trial.order(given=drawn(trial.draw, country="AQ"))
    for one in cancelled(undone):
        yield replace(one, id="before")
    yield mailed(undone, undone.order["customer_email"], 0, who="the customer", id="before")
    yield from refused(trial)
    yield from away(trial, lab)
    yield ships(trial)


def refused(trial):
    with trial.refusing() as tried:
        case = trial.order(given=drawn(trial.draw))
        for one in fulfilled(case, "when the mail is refused, ", within=HELD_UP, informed=False):
            yield replace(one, id="refused")
        yield confirmed(case, False, "the mail is refused", "refused")
        yield Check(
            "mail",
            "the mail was handed to the mail server, which refused it",
            "tried",
            lambda: "tried" if case.order["customer_email"] in tried() else "never tried",
            "lab.inbox; the history of the child workflow",
        )


def away(trial, lab):
    """Place an order while the service is away; look at it before the service is back."""
    lab.kill(NOTIFICATIONS)
    case = trial.order(given=drawn(trial.draw))
    before = case.run.settle(HELD_UP)
    lab.up(NOTIFICATIONS, within=READY_SECONDS, announce=False)
    yield Check(
        "away",
        f"the order ends while {NOTIFICATIONS} is away",
        "COMPLETED",
        lambda: before,
        f"the last events in lab.run({case.instance_id!r}).history",
    )
    yield from fulfilled(case, f"while {NOTIFICATIONS} is away, ", informed=False)
    yield confirmed(case, False, f"{NOTIFICATIONS} is away", "confirmed")
    yield later(case, f"when {NOTIFICATIONS} is back, ")
    yield ended(case)


def confirmed(case, expected, how, id):
    return says(case, expected, "confirmed", id=id, checked=f"{how}: confirmed in the result")


def later(case, how):
    """The mail comes after the order has ended, from the child that goes on."""
    one = mailed(case, case.order["customer_email"], who=f"{how}the customer", id="later")

    def observe():
        came_true(lambda: one.observe() == one.expected, LATER_SECONDS * patience())
        return one.observe()

    return replace(one, observe=observe)
