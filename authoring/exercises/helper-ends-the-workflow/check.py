"""Mail and push are sent in children that the order can give up, and the output says which were."""

from labkit.exercises.cases import NOTIFICATIONS, ORCHESTRATOR, part
from labkit.exercises.observations import (
    Check,
    as_before,
    besides,
    came_true,
    ended,
    mailed,
    missed,
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
    yield sent(case, 0, "send_email", "mail")
    yield sent(case, 1, "send_push", "push")
    yield mailed(case)


def sent(case, number, activity, what):
    """The output says that a notification was sent; on a slow machine it may have been too late."""

    def observe():
        seen = part(case.output, *flag(number))
        if seen is False and late(case, activity):
            raise missed(f"the {what} within the patience of the order", "it came after a timer")
        return seen

    look_at = f"lab.run({case.instance_id!r}).output"
    return Check("said", f"the output says that the {what} was sent", True, observe, look_at)


def flag(number):
    return "notifications_sent", number, "sent"


def fired(case):
    """When the timers of the order fired."""
    return [s.ended for s in case.steps() if s.kind == "timer" and s.outcome == "completed"]


def late(case, activity):
    """Whether the notification was called, and not done before a timer of the order fired."""
    steps = case.steps(activity, NOTIFICATIONS)
    first = min(fired(case), default=None)
    return bool(steps and first) and not any(s.ended and s.ended < first for s in steps)


def counter(trial):
    """An order while notification-service is not started yet, one with it, one that is refused."""
    lab = trial.lab(ORCHESTRATOR)
    alone = trial.order()
    yield besides(gives_up(alone), lambda: waits_for_push(alone))
    lab.up(NOTIFICATIONS, within=30 * patience(), announce=False)
    yield ended(alone)
    words = "the output says that the mail was not sent in time"
    yield says(alone, False, *flag(0), id="gives-up", checked=words)
    poll(lambda: arrived(alone), ARRIVES_SECONDS * patience(), POLL_SECONDS)
    yield mailed(alone, id="later")
    yield pushed(alone, id="later")
    case = trial.order()
    yield from wished(case)
    yield from as_before(case)
    unwanted = refused(trial)
    yield ended(unwanted, id="refused")
    words = "the output does not say that a mail was sent that the mail server refused"
    yield says(unwanted, False, *flag(0), id="refused", checked=words)


def refused(trial):
    """Order while every mail is refused, until the order knew of it before it gave up."""
    for _ in range(3):
        with trial.refusing():
            case = trial.order()
            case.settled()
        if part(case.output, *flag(0)) is not False or knew(case):
            break  # else it gave up before the refusal was known, and says nothing about it
    return case


def knew(case):
    """Whether the workflow that sent the mail had failed before a timer of another one fired."""
    mails = {s.instance_id for s in case.steps("send_email", NOTIFICATIONS)}
    failed = [s.ended for s in case.steps() if s.child_instance_id in mails and s.failure]
    timers = [s for s in case.steps() if s.kind == "timer" and s.outcome == "completed"]
    first = min((s.ended for s in timers if s.instance_id not in mails), default=None)
    return bool(failed) and (first is None or min(failed) < first)


def gives_up(case):
    def observe():
        within = GIVES_UP_SECONDS * patience()
        _, good = poll(lambda: moved_on(case), within, POLL_SECONDS)
        return "gives up" if good else case.settled()

    return Check(
        "gives-up",
        f"the order gives up its mail while {NOTIFICATIONS} is not running",
        "gives up",
        observe,
        f"the history of an order that is scheduled before {NOTIFICATIONS} is started",
    )


def waits_for_push(case):
    """What is to be said when an order that has given up its mail does not give up its push."""
    within = GIVES_UP_SECONDS * patience()
    if not came_true(lambda: moved_on(case), within):
        return ""  # then it waits for its mail
    if not came_true(lambda: case.run.has_ended, within):
        return "but not its push"
    wrong = case.run.status == "COMPLETED" and part(case.output, *flag(1)) is not False
    return "and the output does not say so of its push" if wrong else ""


def moved_on(case):
    """Whether the order has ended, or a timer beside its call has fired."""
    return bool(fired(case)) or case.run.has_ended


def arrived(case):
    mails = case.lab.inbox.to(case.order["assignee_email"])
    pushes = [r["user_id"] for r in rows_of(case.lab, NOTIFICATIONS, "pushes")]
    return mails and case.order["assignee_user_id"] in pushes
