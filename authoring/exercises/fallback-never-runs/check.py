"""An order ends while notification-service is down, says so, and its messages arrive later."""

from labkit.exercises.cases import NOTIFICATIONS, ORCHESTRATOR, Case, part
from labkit.exercises.observations import (
    Check,
    as_before,
    came_true,
    ended,
    mailed,
    missed,
    ordered,
    pushed,
    rows_of,
)
from labkit.waiting import patience

FAST_SECONDS = 1.0
BACK_SECONDS = 15.0
NAMES = ("send_email", "send_push")


def steps(lab):
    case = Case(lab, "order", "task_with_fallback")
    yield ordered(case)
    yield from without_the_service(case)


def counter(trial):
    lab = trial.lab(ORCHESTRATOR)
    early = trial.order()
    yield from without_the_service(early)
    lab.up(announce=False)
    came_true(lambda: arrived(early) or not waiting(early), BACK_SECONDS * patience())
    yield mailed(early, id="later")
    yield pushed(early, id="later")
    case = fast_order(trial)
    yield ended(case)
    yield mailed(case)
    yield pushed(case)
    yield from as_before(case)
    yield told(case, [True, True], "with notification-service, the result says that both were sent")


def without_the_service(case):
    yield ended(case, within=6)
    words = "without notification-service, the result says that neither was sent"
    yield told(case, [False, False], words)


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
