"""An order ends while notification-service is away, says so, and its messages arrive later."""

from labkit.exercises.cases import NOTIFICATIONS, ORCHESTRATOR, Case, StillWaiting, part
from labkit.exercises.observations import (
    Check,
    as_before,
    ended,
    mailed,
    ordered,
    pushed,
    rows_of,
)
from labkit.waiting import patience, poll

PATIENCE_SECONDS = 2.0
BACK_SECONDS = 15.0


def steps(lab):
    case = Case(lab, "order", "task_with_fallback")
    yield ordered(case)
    yield from without_the_service(case)


def counter(trial):
    lab = trial.lab(ORCHESTRATOR)
    early = trial.order()
    yield from without_the_service(early)
    lab.up(announce=False)
    poll(lambda: arrived(early), BACK_SECONDS * patience(), 0.1)
    yield mailed(early, id="later")
    yield pushed(early, id="later")
    case = trial.order()
    yield ended(case)
    yield mailed(case)
    yield pushed(case)
    yield from as_before(case)
    yield told(case, [True, True], "while notification-service runs, the result says: both sent")
    yield mailed(early, id="later")


def without_the_service(case):
    yield ended(case, within=6)
    yield told(case, [False, False], "without notification-service, the result says: neither sent")


def told(case, expected, checked):
    def observe():
        if True in expected:
            require_fast(case)
        return [part(case.output, "notifications_sent", n, "sent") for n in (0, 1)]

    look_at = f"lab.run({case.instance_id!r}).output"
    return Check("told", checked, expected, observe, look_at)


def arrived(case):
    mails = case.lab.inbox.to(case.order["assignee_email"])
    rows = rows_of(case.lab, NOTIFICATIONS, "pushes")
    return mails and [r for r in rows if r["user_id"] == case.order["assignee_user_id"]]


def require_fast(case):
    """Whoever takes longer than the patience of the workflow is late for good reason."""
    taken = [s.seconds for n in ("send_email", "send_push") for s in case.steps(n, NOTIFICATIONS)]
    late = [s for s in taken if s is None or s > PATIENCE_SECONDS / 2]
    if late:
        raise StillWaiting(
            "the notifications were slow on this machine",
            asked="notifications in less than a second",
            found=f"one took {late[0]} s",
            look_at="the load of this machine",
            fix="check again",
        )
