"""A repeated run of send_email sends no second mail, and no mail is lost."""

from dataclasses import replace

from labkit.exercises.cases import NOTIFICATIONS, ORCHESTRATOR, Case
from labkit.exercises.observations import (
    Check,
    as_before,
    ended,
    killed,
    missed,
    ordered,
    origin,
    rows_of,
    timed_out,
)
from labkit.waiting import patience, wait_until

READY_SECONDS = 10.0
WORKFLOW = "task_processing_multi_app"


def steps(lab):
    for name, id in (("first", "mails"), ("second", "lost")):
        case = Case(lab, name, WORKFLOW)
        yield ordered(case)
        yield ended(case)
        yield mails(case, id)
        yield killed(case, NOTIFICATIONS)
        yield from as_before(case)


def counter(trial):
    lab = trial.lab()
    first = trial.repeated(NOTIFICATIONS, has_left)
    yield ended(first, within=5 * patience())
    yield mails(first, "mails", "after a kill when the mail had left, ")
    assignee = first.order["assignee_email"]
    second = cut_off_before_the_mail(trial, lab, assignee)
    yield ended(second, within=5 * patience())
    yield mails(second, "lost", "after a kill while the mail server hung, ")
    yield from as_before(second)
    lab.kill("mail")
    yield refused(trial.order(assignee_email=assignee))
    lab.up(ORCHESTRATOR, within=READY_SECONDS, announce=False)


def cut_off_before_the_mail(trial, lab, assignee):
    with lab.frozen("mail"):
        case = trial.order(assignee_email=assignee)
        wait_until(lambda: hands_over(lab, case), 10 * patience(), "the hand-over of the mail")
        lab.kill(NOTIFICATIONS, "worker")
    lab.up(NOTIFICATIONS, within=READY_SECONDS, announce=False)
    case.settled(5 * patience())
    if timed_out(case):
        raise missed("kill while the mail server hangs", "the call timed out before")
    return case


def hands_over(lab, case):
    return NOTIFICATIONS in lab.callers("mail") or any(s.ended for s in case.steps("send_email"))


def has_left(case):
    return case.lab.inbox and rows_of(case.lab, NOTIFICATIONS, "attempts")


def refused(case):
    checked = "an order ends with FAILED when there is no mail server"
    return replace(ended(case, "FAILED"), id="refused", checked=checked)


def mails(case, id, how=""):
    title = case.order["title"]
    return Check(
        id,
        f"{how}the workflow {case.name} has 1 mail, sent by {NOTIFICATIONS}",
        f"1 mail from {NOTIFICATIONS}",
        lambda: origin(
            case, "mail", [m.idempotency_key for m in case.lab.inbox if title in m.subject]
        ),
        f"lab.inbox; lab.ledger({NOTIFICATIONS!r}, 'attempts')",
    )
