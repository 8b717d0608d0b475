"""A slow provider does not hold up the order, a fast one is waited for, and the output is true."""

from contextlib import suppress

from labkit.exercises.cases import NOTIFICATIONS, Case, part
from labkit.exercises.observations import (
    Check,
    as_before,
    besides,
    came_true,
    ended,
    mailed,
    mails_of,
    missed,
    ordered,
    says,
)
from labkit.labs.workflowrun import NotFinished
from labkit.waiting import patience

CHANGED = ("send_email", "send_push", "answers")  # mail and output are asked about here
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
    came_true(lambda: not calls(silent) or mails(silent), 10 * patience())
    yield from slow(silent)
    yield mailed(silent)
    yield asked_once(silent)
    fast = fast_order(trial)
    yield ended(fast)
    told = says(fast, True, "notifications_sent", 0, "sent", id="fast", checked=FAST)
    yield besides(told, lambda: more_than_one(fast))
    yield from as_before(fast, CHANGED)
    yield refused(unwanted_order(trial))


def unwanted_order(trial):
    """Order while every mail is refused, until the order knew of it before it gave up."""
    for _ in range(3):
        with trial.refusing():
            case = trial.order()
            case.settled()
        if claim(case) != NOT_SENT or knew(case):
            break
    return case


def knew(case):
    """Whether a call or a child of the order had failed before a timer of the order fired."""
    failed = [s.ended for s in case.steps() if s.failure and s.instance_id == case.instance_id]
    timers = [s for s in case.history.own_steps() if s.kind == "timer" and s.outcome == "completed"]
    first = min((s.ended for s in timers), default=None)
    return bool(failed) and (first is None or min(failed) < first)


NOT_SENT = "the output says that it is not sent"


def refused(case):
    """A mail that the mail server refuses does not count as sent; the order itself may fail."""
    return Check(
        "refused",
        "a mail that the mail server refuses does not count as sent",
        f"{NOT_SENT}, or the order fails",
        lambda: claim(case),
        "the output of an order after lab.kill('mail')",
        lambda seen: seen in (NOT_SENT, "the order fails"),
    )


def claim(case):
    if case.settled().startswith("FAILED"):
        return "the order fails"
    sent = part(case.output, "notifications_sent", 0, "sent")
    return NOT_SENT if sent is False else f"sent: {sent}"


def more_than_one(case):
    one, keys = mailed(case), {s.task_execution_id for s in calls(case)}
    seen = one.observe()
    return "" if seen == one.expected and len(keys) == 1 else f"but {seen}, by {len(keys)} calls"


def asked_once(case):
    """A second call would send a second mail, a little later; retries of one call share its key."""
    return Check(
        "mail",
        "the mail is asked for once",
        "1 call",
        lambda: f"{len({s.task_execution_id for s in calls(case)})} call",
        f"lab.run({case.instance_id!r}).history.steps()",
    )


FAST = "when the provider answers after one second, the output says that the mail is sent"


def slow(case):
    yield ended(case, within=8)
    yield Check(
        "in-time",
        "the workflow ends in less than 6 s, and before the provider has answered",
        "less than 6 s, its call still running",
        lambda: f"{length(case)}, its call {state(case)}",
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
    """A hanging mail server makes the call fail after five seconds: then the race is lost."""
    lost = [s for s in calls(case) if s.outcome == "failed"]
    if lost and any(s.kind == "timer" for s in case.steps()):
        raise missed("a provider that is silent for longer than the timer", lost[0].failure.message)


def calls(case):
    """The calls of the activity that sent the mail; as long as there is none, of each activity."""
    steps = [s for s in case.steps(app_id=NOTIFICATIONS) if s.kind == "activity"]
    keys = [mail.idempotency_key for mail in mails(case)]
    names = {s.name for s in steps if any(s.task_execution_id in key for key in keys)}
    return [s for s in steps if s.name in names] if names else steps


def mails(case):
    return mails_of(case, case.order["assignee_email"])


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
