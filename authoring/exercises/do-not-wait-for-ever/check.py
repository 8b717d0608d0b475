"""A slow provider does not hold up the order, a fast one is waited for, and the output is true."""

from contextlib import suppress

from labkit.exercises.cases import NOTIFICATIONS, Case
from labkit.exercises.observations import (
    Check,
    as_before,
    came_true,
    ended,
    mailed,
    missed,
    ordered,
    says,
)
from labkit.waiting import patience
from labkit.workflowrun import NotFinished

CHANGED = ("send_push",)
MOST_SECONDS = 6.0
FAST_SECONDS = 2.0


def steps(lab):
    case = Case(lab, "order", "task_processing_multi_app")
    yield ordered(case)
    yield from slow(case)
    yield mailed(case)


def counter(trial):
    lab = trial.lab(SLOW_SECONDS="1")
    with lab.frozen("mail"), suppress(NotFinished):
        silent = trial.order()
        silent.run.wait(MOST_SECONDS * patience())
    require_silence(silent)
    yield from slow(silent)
    address = silent.order["assignee_email"]
    came_true(lambda: not calls(silent) or lab.inbox.to(address), 10 * patience())
    yield mailed(silent)
    yield asked_once(silent)
    fast = fast_order(trial)
    yield ended(fast)
    yield says(fast, True, "notifications_sent", 0, "sent", id="fast", checked=FAST)
    yield from as_before(fast, CHANGED)


def asked_once(case):
    """A second call would send a second mail, a little later; retries of one call share its key."""
    return Check(
        "mail",
        "the mail is asked for once",
        "1 call of send_email",
        lambda: f"{len({s.task_execution_id for s in calls(case)})} call of send_email",
        f"lab.run({case.instance_id!r}).history.steps()",
    )


FAST = "when the provider answers after one second, the output says that the mail is sent"


def slow(case):
    yield ended(case, within=8)
    yield Check(
        "in-time",
        "the workflow ends in less than 6 s, and before the provider has answered",
        "less than 6 s, send_email still running",
        lambda: f"{length(case)}, send_email {state(case)}",
        f"lab.run({case.instance_id!r}).show()",
        lambda seen: seen.startswith("less than") and "ended" not in seen,
    )
    checked = "the output says that the mail is not sent yet"
    yield says(case, False, "notifications_sent", 0, "sent", checked=checked)


def length(case):
    """How long the workflow took; what is short enough is said without its time, which differs."""
    seconds = duration(case)
    return "less than 6 s" if seconds < MOST_SECONDS * patience() else f"{seconds:.1f} s"


def require_silence(case):
    """A hanging mail server makes send_email fail after five seconds: then the race is lost."""
    lost = [s for s in calls(case) if s.outcome == "failed"]
    if lost and any(s.kind == "timer" for s in case.steps()):
        raise missed("a provider that is silent for longer than the timer", lost[0].failure.message)


def calls(case):
    return case.steps("send_email", NOTIFICATIONS)


def end_of(case):
    return case.history.events[-1].time


def duration(case):
    return (end_of(case) - case.history.events[0].time).total_seconds()


def state(case):
    """How the calls stood when the workflow ended."""
    if not calls(case):
        return "not called"
    answered = [s for s in calls(case) if s.ended and s.ended <= end_of(case)]
    return f"ended after {answered[0].seconds:.1f} s" if answered else "still running"


def fast_order(trial):
    """Order while the provider needs one second, until this machine did not make it longer."""
    for _ in range(3):
        case = trial.order()
        case.settled()
        taken = [s.seconds or duration(case) for s in calls(case)]
        if max(taken, default=0) < FAST_SECONDS:
            return case
    raise missed(f"a provider that answers in {FAST_SECONDS:g} s", f"it took {taken} s")
