"""An order that is on its way ends at once, whatever becomes of its confirmation."""

from dataclasses import replace

from labkit.cuts.raising import failing, hooked
from labkit.exercises.cases import NOTIFICATIONS, Case
from labkit.exercises.observations import (
    Check,
    besides,
    broken,
    came_true,
    ended,
    mailed,
    missed,
    ordered,
    says,
    under_way,
)
from labkit.exercises.shop import cancelled, drawn, fulfilled, ships
from labkit.waiting import patience

WORKFLOW = "fulfil_order"
READY_SECONDS = 30.0
LATER_SECONDS = 30.0
HELD_UP = 8.0
"""Seconds after which an order is held up."""
PATIENCE = 3.0
RETRY_SECONDS = 5.0
RETRY = ("activityRetry", "childWorkflowRetry")
OTHERS = ()


def steps(lab):
    case = Case(lab, "order", WORKFLOW)
    yield ordered(case)
    yield from fulfilled(case, informed=False)
    yield confirmed(case, False, "notification-service is away", "confirmed")
    yield later(case, "when notification-service is back, ")


def counter(trial):
    lab = trial.lab(**hooked())
    plain = trial.order(given=drawn(trial.draw))
    yield from fulfilled(plain, informed=False)
    yield confirmed(plain, True, "the mail is sent", "confirmed")
    yield mailed(plain, plain.order["customer_email"], who="the customer")
    undone = trial.order(given=drawn(trial.draw, country="AQ"))
    for one in cancelled(undone):
        yield replace(one, id="before")
    yield mailed(undone, undone.order["customer_email"], 0, who="the customer", id="before")
    yield from refused(trial, lab)
    yield from away(trial, lab)
    yield ships(trial)


def refused(trial, lab):
    with trial.refusing() as tried:
        case = trial.order(given=drawn(trial.draw))
        for one in fulfilled(case, "when the mail is refused, ", within=HELD_UP, informed=False):
            yield replace(one, id="refused")
        one = confirmed(case, False, "the mail is refused", "refused")
        yield besides(one, lambda: failing_mail(trial, lab))
        yield Check(
            "mail",
            "the mail was handed to the mail server, which refused it",
            "tried",
            lambda: tries(case, tried),
            "lab.inbox; the history of the child workflow",
        )


def failing_mail(trial, lab):
    """What is wrong with an order whose mail fails at once, long before its time is over."""
    how = "when the mail fails at once"
    with failing(lab, "send_email", "before") as raised:
        case = trial.order(given=drawn(trial.draw))
        found = broken(fulfilled(case, f"{how}, ", informed=False))
        found = found or broken([confirmed(case, False, how, "refused")])
    if not found and not raised():
        raise missed("send_email raises before its work", "the order ended without that")
    return found


def tries(case, tried):
    """Whether a mail was tried, and tried again as POLICY says."""

    def count():
        return tried().count(case.order["customer_email"])

    came_true(lambda: count() > 1, RETRY_SECONDS * patience())
    return "tried" if count() > 1 else "tried once, and not again" if count() else "never tried"


def away(trial, lab):
    """Place an order while the service is away; look at it before the service is back."""
    lab.kill(NOTIFICATIONS)
    case, another = (trial.order(given=drawn(trial.draw)) for _ in range(2))
    before = case.run.settle(HELD_UP)
    lab.up(NOTIFICATIONS, within=READY_SECONDS, announce=False)
    one = Check(
        "away",
        f"the order ends while {NOTIFICATIONS} is away",
        "COMPLETED",
        lambda: before,
        f"the last events in lab.run({case.instance_id!r}).history",
    )
    yield besides(one, lambda: too_long(case))
    yield from fulfilled(case, f"while {NOTIFICATIONS} is away, ", informed=False)
    yield confirmed(case, False, f"{NOTIFICATIONS} is away", "confirmed")
    how = f"when {NOTIFICATIONS} is back, "
    yield besides(later(case, how), lambda: broken([ended(another), later(another, how)]))
    yield ended(case)


def too_long(case):
    """By the timers of the order itself: no clock of a slow machine decides."""
    timers = [s for s in case.history.own_steps() if s.due and s.timer_for not in RETRY]
    longest = max(((s.due - s.began).total_seconds() for s in timers), default=0.0)
    late = longest > PATIENCE + 1
    return f"the order waits for {longest:.0f} s, and PATIENCE is {PATIENCE:.0f}" if late else ""


def confirmed(case, expected, how, id):
    return says(case, expected, "confirmed", id=id, checked=f"{how}: confirmed in the result")


def later(case, how):
    """The mail comes after the order has ended, from the child that goes on."""
    one = mailed(case, case.order["customer_email"], who=f"{how}the customer", id="later")

    def observe():
        # A mail, or a second one, may be on its way as long as a child is.
        came_true(lambda: not under_way(case), LATER_SECONDS * patience())
        return one.observe()

    return replace(one, observe=observe)
