"""The campaign is a workflow of notification-service; it needs others for its start only."""

from functools import partial

from labkit.exercises.cases import AUDIT, NOTIFICATIONS, ORCHESTRATOR, Case, part
from labkit.exercises.observations import Check, besides, ended, mailed, ordered, origin, says
from labkit.waiting import patience, poll, wait_until

WORKFLOW, CAMPAIGN, MAIL = "task_processing", "notification_campaign", "send_email"
ESCALATION = "task_escalation"
OTHERS = ()
KEPT = [
    ("run_ml_inference", "ml-service"),
    ("record_task", ORCHESTRATOR),
    ("log_audit_event", AUDIT),
    ("check_compliance_rules", AUDIT),
]
BEGUN, QUIET = 15.0, 6.0
"""Seconds until a step has begun; seconds after which a mail does not come any more."""
ATTEMPTS = 3
PEOPLE = ("email", "manager_email")
NOT_TAKEN = "jörg@example.com"
"""The mail server does not take such an address; it has no SMTPUTF8."""


def steps(lab):
    yield from wished(Case(lab, "order", WORKFLOW))


def counter(trial):
    trial.lab()
    yield from wished(trial.order(given=drawn(trial.draw, "example.org")))
    yield from contract(trial)
    yield from away(trial)
    without_mail = yield from refused(trial)
    yield from escalation(trial, without_mail)


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
    yield Check(
        "owner",
        f"the children of the order {case.name} are {CAMPAIGN} in {NOTIFICATIONS}",
        f"{CAMPAIGN} in {NOTIFICATIONS}",
        lambda: ", ".join(campaigns(case)) or "no such child",
        f"lab.run({case.instance_id!r}).history.children",
    )
    yield Check(
        "own",
        "the orchestrator itself calls no activity of the notification service",
        "none",
        lambda: ", ".join(own(case)) or "none",
        f"lab.run({case.instance_id!r}).history.own_steps()",
    )
    for who in PEOPLE:
        name = "the assignee" if who == "email" else "the manager"
        one = mailed(case, case.order[who], who=name)
        yield besides(one, lambda w=who: other_mail(case, case.order[w]))
    yield says(case, 2, "mails", checked="the output says how many mails were sent")
    yield Check(
        "before",
        "the other steps run as before",
        listed(KEPT),
        lambda: listed(step for step in KEPT if done(case, *step)),
        f"lab.run({case.instance_id!r}).history.steps()",
    )
    named = says(
        case, case.order["task_id"], "task_id", id="before", checked="the output names the task"
    )
    yield besides(named, lambda: other_output(case))


def contract(trial):
    """Another team starts a campaign for three people."""
    lab = trial.cases[-1].lab
    people = [trial.draw.email() for _ in range(3)]
    given = {"task_id": f"task-{trial.draw.number()}", "title": trial.draw.title()}
    given["audience"] = people
    case = campaign(trial, lab, given)
    half = [trial.draw.email(), NOT_TAKEN, trial.draw.email()]
    halved = campaign(trial, lab, {**given, "audience": half})
    yield ended(case, id="contract")
    sent = Check(
        "contract",
        "a campaign for three people sends a mail to each",
        f"3 mails from {NOTIFICATIONS}",
        lambda: origin(case, "mail", [k for p in people for k in keys(lab, p)]),
        "the input of the campaign: task_id, title and audience",
    )
    yield besides(sent, lambda: "; ".join(filter(None, (other_mail(case, p) for p in people))))
    counts = says(case, {"sent": 3}, id="contract", checked="its output says how many were sent")
    yield besides(counts, lambda: otherwise_halved(halved))


def campaign(trial, lab, given):
    """Start a campaign as another team does: in the app that owns it."""
    case = Case(lab, trial.draw.instance_id(), CAMPAIGN, given)
    lab.client(NOTIFICATIONS).schedule_new_workflow(
        CAMPAIGN, input=given, instance_id=case.instance_id
    )
    return case


def otherwise_halved(case):
    """One of three mails is refused: it is tried three times, and the two others leave."""
    status = case.settled(5)
    tried = recipients(case).count(NOT_TAKEN)
    sent = sum(len(keys(case.lab, p)) for p in case.order["audience"])
    if (status, tried, sent, case.output) == ("COMPLETED", ATTEMPTS, 2, {"sent": 2}):
        return ""
    told = f"{status}, {case.output}; {sent} mails arrived, and {NOT_TAKEN} was tried {tried} times"
    return f"but where one of three mails is refused: {told}"


def away(trial):
    """Kill the orchestrator while the first mail waits for a mail server that hangs."""
    lab, given = trial.cases[-1].lab, drawn(trial.draw)
    with lab.frozen("mail"):
        case = trial.order(given=given)
        wait_until(partial(case.steps, MAIL), BEGUN * patience(), "the first mail is under way")
        lab.kill(ORCHESTRATOR)
    people = (given["email"], given["manager_email"])
    poll(lambda: all(keys(lab, person) for person in people), QUIET * min(patience(), 4), 0.1)
    seen = sum(len(keys(lab, person)) for person in people)
    lab.up(ORCHESTRATOR, within=30 * patience(), announce=False)
    yield Check(
        "away",
        "a campaign that has begun sends both mails while the orchestrator is away",
        "2 mails",
        lambda: f"{seen} mail{'s' * (seen != 1)}",
        "who decides on the next mail: history.own_steps() of the order and of its child",
    )
    yield ended(case, within=5, id="away")


def refused(trial):
    """Order while the mail server is away; return the escalation that was ordered then, too."""
    lab = trial.cases[-1].lab
    lab.kill("mail")
    late = trial.order(ESCALATION, given={**drawn(trial.draw), "patience_seconds": 0.2})
    case = trial.order(given=drawn(trial.draw))
    yield ended(case, within=5, id="refused")
    yield Check(
        "refused",
        "each mail that is refused is tried three times",
        f"{ATTEMPTS} and {ATTEMPTS} attempts",
        lambda: " and ".join(map(str, attempts(case))) + " attempts",
        f"lab.run({case.instance_id!r}).history.steps()",
    )
    yield says(case, 0, "mails", id="refused", checked="the output counts no refused mail")
    late.settled(5)
    lab.up(ORCHESTRATOR, announce=False)
    return late


def escalation(trial, without_mail):
    given = {**drawn(trial.draw), "patience_seconds": 0.2}
    case = trial.order(ESCALATION, given=given)
    yield besides(ended(case, within=5, id="escalation"), lambda: given_up(without_mail))
    for who in PEOPLE:
        one = mailed(case, given[who], id="escalation", who="each person")
        yield besides(one, lambda: "" if escalated(case) else f"its output is {case.output}")


def escalated(case):
    return case.output == {"task_id": case.order["task_id"], "escalated": True}


def given_up(case):
    """An escalation goes on without mails that are refused, each after three attempts."""
    status, tried = case.settled(5), attempts(case)
    if status == "COMPLETED" and tried == [ATTEMPTS, ATTEMPTS]:
        return ""
    return f"but where its mails are refused: {status}, after {tried[0]} and {tried[1]} attempts"


# --- what is observed -------------------------------------------------------------------------


def campaigns(case):
    """The kinds of children that the order itself has called."""
    children = [s for s in case.history.own_steps() if s.kind == "child"]
    return sorted({f"{s.name} in {s.app_id}" for s in children})


def own(case):
    steps = [s for s in case.history.own_steps() if s.app_id == NOTIFICATIONS]
    return [s.name for s in steps if s.kind != "child"]


def other_mail(case, person):
    """A mail to this person says which task it is about, as the orchestrator's mails did."""
    wanted, seen = f"Task assigned: {case.order['title']}", case.lab.inbox.to(person)
    if seen and wanted not in [m.subject for m in seen]:
        return f"the subject is {seen[-1].subject!r}, and was {wanted!r}"
    named = [m for m in seen if str(case.order["task_id"]) in m.body]
    return "" if named or not seen else f"its text is {seen[-1].body!r}, without the task ID"


def other_output(case):
    """What else the output said, it says still."""
    judged = [part(s.value, "priority") for s in case.steps("run_ml_inference", "ml-service")]
    checked = [part(s.value, "compliant") for s in case.steps("check_compliance_rules", AUDIT)]
    known = {"status": ["completed"], "priority": judged, "compliant": checked}
    changed = [name for name, values in known.items() if part(case.output, name) not in values]
    return f"but not, as before, its {', '.join(changed)}: {case.output}" if changed else ""


def keys(lab, address):
    return [mail.idempotency_key for mail in lab.inbox.to(address)]


def attempts(case):
    """How many times a mail to each of the people was tried."""
    return [recipients(case).count(case.order[who]) for who in PEOPLE]


def recipients(case):
    """To whom mails were tried, one for each attempt."""
    return [s.argument.get("recipient") for s in case.steps(MAIL, NOTIFICATIONS)]


def done(case, name, app_id):
    return any(s.outcome == "completed" for s in case.steps(name, app_id))


def listed(steps):
    return ", ".join(f"{name} in {app_id}" for name, app_id in steps) or "none of them"
