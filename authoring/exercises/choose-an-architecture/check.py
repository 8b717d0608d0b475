"""Each change request is delivered as variables of one app; three faults do not hurt."""

from dataclasses import replace
from functools import partial

from labkit.exercises.cases import AUDIT, NOTIFICATIONS, ORCHESTRATOR, Case, part
from labkit.exercises.observations import Check, besides, ended, mailed, ordered, rows_of, says
from labkit.waiting import patience, poll, wait_until

WORKFLOW, MAIL = "task_processing", "send_email"
OTHERS = ()
BEGUN, QUIET, READY = 15.0, 6.0, 30.0
"""Seconds until a step has begun; after which a mail does not come any more; until apps are up."""
ATTEMPTS = 5


def steps(lab):
    yield from wished(Case(lab, "order", WORKFLOW))


def counter(trial):
    trial.lab()
    case = trial.order(given=drawn(trial.draw))
    for one in wished(case):
        yield besides(one, lambda: not_as_today(case)) if one.id == "kept" else one
    yield from away(trial)
    yield from without_audit(trial)
    yield from refused(trial)
    yield from requests(trial)


def drawn(draw):
    email = draw.email()
    return {
        "task_id": f"task-{draw.number()}",
        "title": draw.title(),
        "user_id": email.partition("@")[0],
        "email": email,
        "manager_email": f"boss-of-{email}",
    }


def wished(case):
    yield ordered(case)
    yield ended(case)
    for who, name in (("email", "the assignee"), ("manager_email", "the manager")):
        yield mailed(case, case.order[who], who=name, id="kept")
    yield says(case, 2, "mails", id="kept", checked="the output says how many mails were sent")
    yield Check(
        "kept",
        "the task is noted and the book has an entry, once each",
        "1 task, 1 entry",
        lambda: f"{noted(case, ORCHESTRATOR, 'tasks')} task, {noted(case, AUDIT, 'events')} entry",
        f'lab.ledger("{ORCHESTRATOR}", "tasks"), lab.ledger("{AUDIT}", "events")',
        lambda seen: seen == "1 task, 1 entry" or (case.is_own and not seen.startswith("0")),
    )
    yield Check(
        "kept",
        "the priority in the output is that of ml-service",
        "the same",
        lambda: judged(case),
        f"lab.run({case.instance_id!r}).history.steps(), and its output",
    )


def not_as_today(case):
    """Without the variables nothing has changed."""
    expected, people = f"Task assigned: {case.order['title']}", ("email", "manager_email")
    seen = {m.subject for who in people for m in case.lab.inbox.to(case.order[who])}
    if seen and seen != {expected}:
        return f"without SUBJECT the subject is {', '.join(sorted(seen))!r}"
    return "without RECEIPTS there is a receipt" if case.steps("write_receipt") else ""


# --- three faults -----------------------------------------------------------------------------


def away(trial):
    """Kill the orchestrator while the first mail waits for a mail server that hangs."""
    lab, given = trial.cases[-1].lab, drawn(trial.draw)
    with lab.frozen("mail"):
        case = trial.order(given=given)
        wait_until(partial(case.steps, MAIL), BEGUN * patience(), "the first mail is under way")
        lab.kill(ORCHESTRATOR)
    seen = both(lab, given)
    lab.up(ORCHESTRATOR, within=READY * patience(), announce=False)
    yield Check(
        "away",
        "both mails leave while the orchestrator is away",
        "2 mails",
        lambda: many(seen),
        "who decides on the next mail: history.own_steps() of the order and of its children",
    )
    yield ended(case, within=5, id="away")


def without_audit(trial):
    lab, given = trial.cases[-1].lab, drawn(trial.draw)
    lab.stop(AUDIT)
    case = trial.order(given=given)
    seen = both(lab, given)
    lab.up(AUDIT, within=READY * patience(), announce=False)
    yield Check(
        "without-audit",
        f"both mails leave while {AUDIT} is away",
        "2 mails",
        lambda: many(seen),
        f"the order of the steps: lab.run({case.instance_id!r}).history.steps()",
    )
    yield ended(case, within=5, id="without-audit")


def refused(trial):
    lab = trial.cases[-1].lab
    lab.kill("mail")
    case = trial.order(given=drawn(trial.draw))
    yield ended(case, within=5, id="refused")
    counts = says(case, 0, "mails", id="refused", checked="the output counts no refused mail")
    yield besides(counts, lambda: other_attempts(case))


# --- five change requests ---------------------------------------------------------------------


def requests(trial):
    """Deliver all requests, each to one app; what one order does shows them."""
    subject, archive, lead = trial.draw.word(), trial.draw.email(), trial.draw.email()
    lab = trial.lab("ml-service")
    deliver(lab, NOTIFICATIONS, SUBJECT=subject, ARCHIVE=archive, ATTEMPTS=str(ATTEMPTS))
    deliver(lab, AUDIT, RECEIPTS="yes")
    deliver(lab, ORCHESTRATOR, LEAD=lead)
    lab.up(within=READY * patience(), announce=False)
    case = trial.order(given=drawn(trial.draw))
    yield ended(case, within=5)
    title = case.order["title"]
    yield Check(
        "subject",
        f"with SUBJECT delivered to {NOTIFICATIONS}, the mail has it",
        f"{subject}: {title}",
        lambda: ", ".join(m.subject for m in lab.inbox.to(case.order["email"])),
        "lab.inbox",
    )
    yield Check(
        "archive",
        f"with ARCHIVE delivered to {NOTIFICATIONS}, it gets one mail for the order",
        "1 mail",
        lambda: many(len(lab.inbox.to(archive))),
        "lab.inbox",
    )
    yield Check(
        "lead",
        f"with LEAD delivered to {ORCHESTRATOR}, this address gets a mail",
        "1 mail",
        lambda: many(len(lab.inbox.to(lead))),
        "lab.inbox",
    )
    yield Check(
        "receipt",
        f"with RECEIPTS delivered to {AUDIT}, write_receipt runs there",
        "yes",
        lambda: "yes" if case.steps("write_receipt", AUDIT) else "no such step",
        f"lab.run({case.instance_id!r}).history.steps()",
    )
    lab.kill("mail")
    case = trial.order(given=drawn(trial.draw))
    yield ended(case, within=5, id="attempts")
    yield Check(
        "attempts",
        f"with ATTEMPTS={ATTEMPTS} delivered to {NOTIFICATIONS}, a mail is tried so many times",
        f"{ATTEMPTS} and {ATTEMPTS} attempts",
        lambda: " and ".join(map(str, attempts(case))) + " attempts",
        f"lab.run({case.instance_id!r}).history.steps()",
    )


def deliver(lab, app_id, **variables):
    """Give variables to one app of the second lab; no file is touched."""
    apps = lab.run_file.apps
    changed = [replace(a, env={**a.env, **variables}) if a.app_id == app_id else a for a in apps]
    lab.run_file = replace(lab.run_file, apps=tuple(changed))


# --- what is observed -------------------------------------------------------------------------


def both(lab, given):
    """Return how many of the two mails have come, as soon as it is two, or no more come."""
    people = (given["email"], given["manager_email"])
    quiet = QUIET * min(patience(), 4)
    poll(lambda: all(lab.inbox.to(person) for person in people), quiet, 0.1)
    return sum(len(lab.inbox.to(person)) for person in people)


def many(count):
    return f"{count} mail{'s' * (count != 1)}"


def noted(case, app_id, table):
    rows = rows_of(case.lab, app_id, table)
    return sum(row["task_id"] == case.order["task_id"] for row in rows)


def judged(case):
    """Compare the output with what run_ml_inference has answered for this order."""
    answers = [s.value for s in case.steps("run_ml_inference", "ml-service")]
    given = part(case.output, "priority")
    return "the same" if given in [part(a, "priority") for a in answers] else f"{given}: {answers}"


def other_attempts(case):
    tried = attempts(case)
    return "" if tried == [3, 3] else f"without ATTEMPTS each mail is tried {tried[0]} times"


def attempts(case):
    """How many times a mail to each of the people was tried."""
    tried = [s.argument.get("recipient") for s in case.steps(MAIL, NOTIFICATIONS)]
    return [tried.count(case.order[who]) for who in ("email", "manager_email")]
