"""A slow provider does not hold up the order, a fast one is waited for, and the output is true."""

from contextlib import suppress

from labkit.exercises.cases import NOTIFICATIONS, Case, StillWaiting
from labkit.exercises.observations import Check, as_before, ended, mailed, ordered, says
from labkit.waiting import patience, poll
from labkit.workflowrun import NotFinished

CHANGED = ("send_push",)
MOST_SECONDS = 6.0
PATIENCE_SECONDS = 3.0


def steps(lab):
    case = Case(lab, "order", "task_processing_multi_app")
    yield ordered(case)
    yield from slow(case)
    yield mailed(case)


def counter(trial):
    lab = trial.lab(SLOW_SECONDS="1")
    silent = trial.order()
    with lab.frozen("mail"), suppress(NotFinished):
        silent.run.wait(MOST_SECONDS * patience())
    yield from slow(silent)
    poll(lambda: lab.inbox.to(silent.order["assignee_email"]), 10 * patience())
    yield mailed(silent)
    fast = trial.order()
    yield ended(fast)
    yield says(fast, sent(fast), "notifications_sent", 0, "sent", id="fast", checked=FAST)
    yield from as_before(fast, CHANGED)


FAST = "when the provider answers after one second, the output says that the mail is sent"


def slow(case):
    yield ended(case, within=8)
    yield Check(
        "in-time",
        "the workflow ends in less than 6 s, and before the provider has answered",
        "less than 6 s, send_email still running",
        lambda: f"{duration(case):.1f} s, send_email {state(case)}",
        f"lab.run({case.instance_id!r}).show()",
        lambda told: float(told.split()[0]) < MOST_SECONDS * patience() and "running" in told,
    )
    checked = "the output says that the mail is not sent yet"
    yield says(case, False, "notifications_sent", 0, "sent", checked=checked)


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


def sent(case):
    """What a fast answer must lead to: True, unless this machine made it slow."""
    case.settled()
    late = [s for s in calls(case) if s.seconds is None or s.seconds > PATIENCE_SECONDS - 1]
    if late:
        raise StillWaiting(
            "the provider was not fast",
            asked="an answer after one second",
            found=f"send_email took {late[0].seconds} s on this machine",
            look_at="the load of this machine",
            fix="check again",
        )
    return True
