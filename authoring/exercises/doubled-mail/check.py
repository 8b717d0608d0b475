"""A repeated run of send_email sends no second mail, and no mail is lost: each call has its own."""

from dataclasses import replace
from pathlib import Path

from labkit.exercises.cases import NOTIFICATIONS, ORCHESTRATOR, Case
from labkit.exercises.observations import (
    Check,
    as_before,
    besides,
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
CALLER = "another-caller"
SECONDS = 30.0


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
    third = trial.again(second)
    start_caller(lab)
    two = mail_two(trial, lab, mails_to(trial, "one", "two"))
    yield ended(third, within=5 * patience())
    yield mails(third, "lost", "after another order with the same words, ", besides=second)
    yield ended(two, within=5 * patience())
    yield besides(both_mails(two), lambda: same_person(trial, lab))
    lab.kill("mail")
    yield refused(trial.order(assignee_email=assignee))
    lab.up(ORCHESTRATOR, within=READY_SECONDS, announce=False)


def start_caller(lab):
    """Add an app of our own, which mails two people in one workflow; the learner's files stay."""
    spec = next(a for a in lab.run_file.apps if a.app_id == ORCHESTRATOR)
    own = replace(
        spec,
        app_id=CALLER,
        folder=Path(__file__).parent,
        command=("python3", "caller.py"),
        config=None,
        settings={},
    )
    lab.run_file = replace(lab.run_file, apps=(*lab.run_file.apps, own))
    lab.up(CALLER, within=SECONDS * patience(), announce=False)


def mails_to(trial, *names):
    words = {"subject": trial.draw.title(), "body": "the same for both"}
    people = sorted(trial.draw.email(f"{name}.example.com") for name in names)
    return [{"recipient": person, **words} for person in people]


def mail_two(trial, lab, mails):
    given = {"mails": mails}
    case = Case(lab, trial.draw.instance_id(), "mail_two", given)
    client = lab.client(CALLER)
    client.schedule_new_workflow("mail_two", input=given, instance_id=case.instance_id)
    return case


def same_person(trial, lab):
    """What is to be said unless a workflow that mails one person twice sends two mails."""
    case = mail_two(trial, lab, 2 * mails_to(trial, "three"))
    case.settled(5 * patience())
    if timed_out(case):
        raise missed("two calls with the same words", "one of them timed out")
    seen = sent(case, case.given["mails"][0]["recipient"])
    wanted = f"2 mails from {NOTIFICATIONS}"
    return "" if seen == wanted else f"for two calls with the same words: {seen}"


def sent(case, person):
    return origin(case, "mail", [m.idempotency_key for m in case.lab.inbox.to(person)])


def both_mails(case):
    return Check(
        "lost",
        "a workflow that mails two people sends 1 mail to each",
        f"1 mail from {NOTIFICATIONS}, 1 mail from {NOTIFICATIONS}",
        lambda: ", ".join(sent(case, mail["recipient"]) for mail in case.given["mails"]),
        f"lab.inbox; lab.ledger({NOTIFICATIONS!r}, 'attempts')",
    )


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


def mails(case, id, how="", besides=None):
    title = case.order["title"]

    def keys():
        """Those of the mails with this title, without the ones that another order has sent."""
        others = {s.task_execution_id for s in besides.steps()} - {None} if besides else ()
        found = [m.idempotency_key for m in case.lab.inbox if title in m.subject]
        return [key for key in found if not any(other in key for other in others)]

    return Check(
        id,
        f"{how}the workflow {case.name} has 1 mail, sent by {NOTIFICATIONS}",
        f"1 mail from {NOTIFICATIONS}",
        lambda: origin(case, "mail", keys()),
        f"lab.inbox; lab.ledger({NOTIFICATIONS!r}, 'attempts')",
    )
