"""An order ends in time and says what was sent, whether its messages are late, refused or sent."""

from collections import Counter
from dataclasses import replace

from labkit.exercises.cases import NOTIFICATIONS, ORCHESTRATOR, Case, part
from labkit.exercises.observations import (
    Check,
    as_before,
    besides,
    came_true,
    ended,
    mailed,
    missed,
    ordered,
    pushed,
    rows_of,
    says,
)
from labkit.waiting import patience

FAST_SECONDS = 1.0
BACK_SECONDS = 15.0
PATIENCE_SECONDS = 2.0
SPARE_SECONDS = 1.0
NAMES = ("send_email", "send_push")


def steps(lab):
    case = Case(lab, "order", "task_with_fallback")
    yield ordered(case)
    yield from without_the_service(case)


def counter(trial):
    lab = trial.lab(ORCHESTRATOR)
    early, second = trial.order(), trial.order()
    yield from without_the_service(early)
    lab.up(announce=False)
    for one in (early, second):
        came_true(lambda c=one: arrived(c) or not waiting(c), BACK_SECONDS * patience())
    yield besides(mailed(early, id="later"), lambda: lost(second))
    yield pushed(early, id="later")
    case = fast_order(trial)
    yield ended(case)
    yield mailed(case)
    yield pushed(case)
    yield from as_before(case)
    yield told(case, [True, True], "with notification-service, the result says that both were sent")
    with trial.refusing():
        unwanted = trial.order()
        unwanted.settled()
    yield from refused(unwanted)


def without_the_service(case):
    yield ended(case, within=6)
    words = "without notification-service, the result says that neither was sent"
    yield told(case, [False, False], words)
    yield in_time(case)


def lost(case):
    """Say what a second order lacks that came while the service was away; "" when nothing."""
    if (status := case.settled()) != "COMPLETED":
        return f"and a second order of that time ends with {status}"
    wanted, seen = mailed(case).expected, mailed(case).observe()
    return "" if seen == wanted else f"and for a second order of that time {seen}"


def refused(case):
    words = "an order completes although the mail server refuses its mail"
    yield replace(ended(case), id="refused", checked=words)
    words = "the result does not say that a refused mail was sent"
    yield says(case, False, "notifications_sent", 0, "sent", id="refused", checked=words)


def in_time(case):
    """How long the order took; a busy machine makes it longer, so its timers are asked, too."""
    most = 2 * PATIENCE_SECONDS + SPARE_SECONDS

    def observe():
        taken = case.history.events[-1].time - case.history.events[0].time
        if taken.total_seconds() < most or planned(case) < most:
            return "in time"
        return f"{taken.total_seconds():.0f} s"

    return Check(
        "in-time",
        f"the order waits for each notification no longer than {PATIENCE_SECONDS:g} s",
        "in time",
        observe,
        f"lab.run({case.instance_id!r}).show()",
    )


def planned(case):
    """For how long a workflow of this order has waited for timers, in seconds as it asked."""
    timers = [s for s in case.steps() if s.kind == "timer" and s.outcome == "completed"]
    sums = Counter()
    for timer in timers:
        sums[timer.instance_id] += (timer.due - timer.began).total_seconds()
    return max(sums.values(), default=0)


def told(case, expected, checked):
    return Check(
        "told",
        checked,
        expected,
        lambda: [part(case.output, "notifications_sent", n, "sent") for n in (0, 1)],
        f"lab.run({case.instance_id!r}).output",
    )


def arrived(case):
    mails = case.lab.inbox.to(case.order["assignee_email"])
    rows = rows_of(case.lab, NOTIFICATIONS, "pushes")
    return mails and [r for r in rows if r["user_id"] == case.order["assignee_user_id"]]


def waiting(case):
    """The child workflows that have not ended, and those that cannot be read now."""
    runs = list(case.history.walk())
    return [r for r in runs if r.status == "RUNNING"] + [m for r in runs for m in r.missing]


def fast_order(trial):
    """Order while notification-service runs, until it was as fast as the result has to know."""
    for _ in range(3):
        case = trial.order()
        case.settled()
        taken = [seconds(case, s) for n in NAMES for s in case.steps(n, NOTIFICATIONS)]
        if all(taken) and max(taken, default=0) < FAST_SECONDS:
            return case
    raise missed(f"notifications in less than {FAST_SECONDS:g} s", f"they took {taken} s")


def seconds(case, step):
    """From the moment when the workflow asked for a notification until it was sent."""
    asked = [c.began for c in case.steps() if c.child_instance_id == step.instance_id]
    return (step.ended - min(asked, default=step.began)).total_seconds() if step.ended else None
