"""The campaign is a workflow of notification-service; it needs others for its start only."""

from functools import partial

from labkit.exercises.cases import AUDIT, NOTIFICATIONS, ORCHESTRATOR, Case
from labkit.exercises.observations import Check, besides, ended, mailed, ordered, origin, says
from labkit.waiting import patience, poll, wait_until

WORKFLOW, CAMPAIGN, MAIL = "task_processing", "notification_campaign", "send_email"
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


def steps(lab):
    yield from wished(Case(lab, "order", WORKFLOW))


def counter(trial):
    trial.lab()
    yield from wished(trial.order(given=drawn(trial.draw)))
    yield from contract(trial)
    yield from away(trial)
    yield from refused(trial)
    yield from escalation(trial)


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
    for who in ("email", "manager_email"):
        name = "the assignee" if who == "email" else "the manager"
        one = mailed(case, case.order[who], who=name)
        yield besides(one, lambda w=who: other_subject(case, case.order[w], case.order["title"]))
    yield says(case, 2, "mails", checked="the output says how many mails were sent")
    yield Check(
        "before",
        "the other steps run as before",
        listed(KEPT),
        lambda: listed(step for step in KEPT if done(case, *step)),
        f"lab.run({case.instance_id!r}).history.steps()",
    )
    yield says(
        case, case.order["task_id"], "task_id", id="before", checked="the output names the task"
    )


def contract(trial):
    """Another team starts a campaign for three people."""
    lab = trial.cases[-1].lab
    people = [trial.draw.email() for _ in range(3)]
    given = {"task_id": f"task-{trial.draw.number()}", "title": trial.draw.title()}
    given["audience"] = people
    case = Case(lab, trial.draw.instance_id(), CAMPAIGN, given)
    lab.client(NOTIFICATIONS).schedule_new_workflow(
        CAMPAIGN, input=given, instance_id=case.instance_id
    )
    yield ended(case, id="contract")
    sent = Check(
        "contract",
        "a campaign for three people sends a mail to each",
        f"3 mails from {NOTIFICATIONS}",
        lambda: origin(case, "mail", [k for p in people for k in keys(lab, p)]),
        "the input of the campaign: task_id, title and audience",
    )
    title = given["title"]
    yield besides(
        sent, lambda: "; ".join(filter(None, (other_subject(case, p, title) for p in people)))
    )
    yield says(case, {"sent": 3}, id="contract", checked="its output says how many were sent")


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
    """Order while the mail server is away."""
    lab = trial.cases[-1].lab
    lab.kill("mail")
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
    lab.up(ORCHESTRATOR, announce=False)


def escalation(trial):
    given = {**drawn(trial.draw), "patience_seconds": 0.2}
    case = trial.order("task_escalation", given=given)
    yield ended(case, within=5, id="escalation")
    for who in ("email", "manager_email"):
        yield mailed(case, given[who], id="escalation", who="each person")


# --- what is observed -------------------------------------------------------------------------


def campaigns(case):
    """The kinds of children that the order itself has called."""
    children = [s for s in case.history.own_steps() if s.kind == "child"]
    return sorted({f"{s.name} in {s.app_id}" for s in children})


def own(case):
    steps = [s for s in case.history.own_steps() if s.app_id == NOTIFICATIONS]
    return [s.name for s in steps if s.kind != "child"]


def other_subject(case, person, title):
    """A mail to this person says which task it is about, as the orchestrator's mails did."""
    wanted, seen = f"Task assigned: {title}", [m.subject for m in case.lab.inbox.to(person)]
    return "" if wanted in seen or not seen else f"the subject is {seen[-1]!r}, and was {wanted!r}"


def keys(lab, address):
    return [mail.idempotency_key for mail in lab.inbox.to(address)]


def attempts(case):
    """How many times a mail to each of the people was tried."""
    tried = [s.argument.get("recipient") for s in case.steps(MAIL, NOTIFICATIONS)]
    return [tried.count(case.order[who]) for who in ("email", "manager_email")]


def done(case, name, app_id):
    return any(s.outcome == "completed" for s in case.steps(name, app_id))


def listed(steps):
    return ", ".join(f"{name} in {app_id}" for name, app_id in steps) or "none of them"
