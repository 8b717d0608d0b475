"""Each change request is delivered as variables of one app; three faults do not hurt."""

from dataclasses import replace
from functools import partial

from labkit.exercises.cases import AUDIT, NOTIFICATIONS, ORCHESTRATOR, Case, part
from labkit.exercises.observations import Check, besides, ended, mailed, ordered, rows_of, says
from labkit.waiting import patience, poll, wait_until

WORKFLOW, ESCALATION, MAIL = "task_processing", "task_escalation", "send_email"
OTHERS = ()
BEGUN, QUIET, READY = 15.0, 6.0, 30.0
"""Seconds until a step has begun; after which a mail does not come any more; until apps are up."""
ATTEMPTS = 5
PEOPLE = ("email", "manager_email")


def steps(lab):
    yield from wished(Case(lab, "order", WORKFLOW))


def counter(trial):
    trial.lab()
    case = trial.order(given=drawn(trial.draw, "example.org"))
    late = trial.order(ESCALATION, given={**drawn(trial.draw), "patience_seconds": 0.2})
    for one in wished(case):
        yield besides(one, lambda: not_as_today(case, late)) if one.id == "kept" else one
    yield from away(trial)
    yield from without_audit(trial)
    yield from refused(trial)
    yield from requests(trial)


def drawn(draw, domain="example.com"):
    email = draw.email(domain)
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
    for who, name in zip(PEOPLE, ("the assignee", "the manager"), strict=True):
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


def not_as_today(case, late):
    """Without the variables nothing has changed."""
    expected = f"Task assigned: {case.order['title']}"
    mails = [m for who in PEOPLE for m in case.lab.inbox.to(case.order[who])]
    seen = {m.subject for m in mails}
    if seen and seen != {expected}:
        return f"without SUBJECT the subject is {', '.join(sorted(seen))!r}"
    if any(case.order["task_id"] not in m.body for m in mails):
        return "a mail does not name the task"
    if case.steps("write_receipt"):
        return "without RECEIPTS there is a receipt"
    return other_record(case, "task_assigned") or other_escalation(late)


def other_record(case, action):
    """The output and the book say the same of an order as today."""
    email = case.order["email"]
    is_ours = email.endswith("@example.com")
    said = {"task_id": case.order["task_id"], "status": "completed", "compliant": is_ours}
    if changed := [name for name, value in said.items() if part(case.output, name) != value]:
        return f"the output differs in {', '.join(changed)}: {case.output}"
    return "" if entries(case) == [(action, email)] else f"the book has {entries(case)}"


def entries(case):
    rows = rows_of(case.lab, AUDIT, "events")
    return [(r["action"], r["actor"]) for r in rows if r["task_id"] == case.order["task_id"]]


def other_escalation(late):
    """The other workflow that informs people and keeps the book does so as today."""
    if (status := late.settled()) != "COMPLETED":
        return f"{ESCALATION} ends with {status}"
    mails = [len(late.lab.inbox.to(late.order[who])) for who in PEOPLE]
    if mails != [1, 1]:
        return f"{ESCALATION} sends {mails[0]} and {mails[1]} mails"
    seen = entries(late)
    wanted = [("task_escalated", late.order["email"])]
    return "" if seen == wanted else f"{ESCALATION} leaves {seen or 'nothing'} in the book"


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
    yield besides(ended(case, within=5, id="away"), lambda: more_than_two(case))


def more_than_two(case):
    """The orchestrator does not send again what was sent without it."""
    case.settled(5)
    count = sum(len(case.lab.inbox.to(case.order[who])) for who in PEOPLE)
    return f"and there are {count} mails then" if count > 2 else ""


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
    yield besides(counts, lambda: other_attempts(case) or unrecorded(case))


def unrecorded(case):
    """Whatever became of the mails, the book is kept."""
    count = noted(case, AUDIT, "events")
    return "" if count == 1 else f"and the book has {count} entries for it"


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
    wanted = f"{subject}: {case.order['title']}"
    has_it = Check(
        "subject",
        f"with SUBJECT delivered to {NOTIFICATIONS}, the mail has it",
        wanted,
        lambda: ", ".join(m.subject for m in lab.inbox.to(case.order["email"])),
        "lab.inbox",
    )
    others = (case.order["manager_email"], lead)
    yield besides(has_it, lambda: other_subjects(lab, others, wanted))
    yield Check(
        "archive",
        f"with ARCHIVE delivered to {NOTIFICATIONS}, it gets one mail for the order",
        "1 mail",
        lambda: many(len(lab.inbox.to(archive))),
        "lab.inbox",
    )
    gets_one = Check(
        "lead",
        f"with LEAD delivered to {ORCHESTRATOR}, this address gets a mail",
        "1 mail",
        lambda: many(len(lab.inbox.to(lead))),
        "lab.inbox",
    )
    manager = case.order["manager_email"]
    yield besides(gets_one, lambda: "" if lab.inbox.to(manager) else "but the manager gets none")
    runs = Check(
        "receipt",
        f"with RECEIPTS delivered to {AUDIT}, write_receipt runs there",
        "yes",
        lambda: "yes" if case.steps("write_receipt", AUDIT) else "no such step",
        f"lab.run({case.instance_id!r}).history.steps()",
    )
    yield besides(runs, lambda: other_record(case, "task_assigned"))
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
    return [tried.count(case.order[who]) for who in PEOPLE]


def other_subjects(lab, people, wanted):
    seen = {m.subject for person in people for m in lab.inbox.to(person)} - {wanted}
    return f"but another has {', '.join(sorted(seen))!r}" if seen else ""
