"""Mail and push are sent in children that the order can give up, and the output says which were."""

from labkit.exercises.cases import NOTIFICATIONS, ORCHESTRATOR
from labkit.exercises.observations import (
    Check,
    as_before,
    ended,
    mailed,
    pushed,
    rows_of,
    says,
)
from labkit.waiting import patience, poll

GIVES_UP_SECONDS = 8.0
ARRIVES_SECONDS = 10.0
POLL_SECONDS = 0.1


def wished(case):
    yield ended(case)
    yield said(case, True, 0, "the mail was sent")
    yield said(case, True, 1, "the push was sent")
    yield mailed(case)


def said(case, expected, number, words, id="said"):
    keys = ("notifications_sent", number, "sent")
    return says(case, expected, *keys, id=id, checked=f"the output says that {words}")


def counter(trial):
    """One order while notification-service is not started yet, and one with it."""
    lab = trial.lab(ORCHESTRATOR)
    alone = trial.order()
    yield gives_up(alone)
    lab.up(NOTIFICATIONS, within=30 * patience(), announce=False)
    yield ended(alone)
    yield said(alone, False, 0, "the mail was not sent in time", "gives-up")
    poll(lambda: arrived(alone), ARRIVES_SECONDS * patience(), POLL_SECONDS)
    yield mailed(alone, id="later")
    yield pushed(alone, id="later")
    case = trial.order()
    yield from wished(case)
    yield from as_before(case)


def gives_up(case):
    def observe():
        within = GIVES_UP_SECONDS * patience()
        return (
            "gives up" if poll(lambda: moved_on(case), within, POLL_SECONDS)[1] else case.settled()
        )

    return Check(
        "gives-up",
        f"the order gives up its mail while {NOTIFICATIONS} is not running",
        "gives up",
        observe,
        f"the history of an order that is scheduled before {NOTIFICATIONS} is started",
    )


def moved_on(case):
    """Whether the order has ended, or a timer beside its call has fired."""
    fired = [s for s in case.steps() if s.kind == "timer" and s.outcome == "completed"]
    return bool(fired) or case.run.has_ended


def arrived(case):
    mails = case.lab.inbox.to(case.order["assignee_email"])
    pushes = [r["user_id"] for r in rows_of(case.lab, NOTIFICATIONS, "pushes")]
    return mails and case.order["assignee_user_id"] in pushes
