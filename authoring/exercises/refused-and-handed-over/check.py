"""The answer of the manager decides, whoever answers first, and however often."""

from labkit.exercises.cases import Case, part
from labkit.exercises.observations import Check, besides, ended, mailed, ordered, says

APP, WORKFLOW = "escalation-service", "task_handover"
OTHERS = ()
MANY = 4
"""Times that the lead answers before the manager does."""


def steps(lab):
    case = Case(lab, "order", WORKFLOW)
    yield ordered(case)
    yield from wished(case, "kept", "morgan", "lee", "the manager refuses first")


def counter(trial):
    trial.lab()
    lead, manager = trial.draw.word(), trial.draw.word()
    for first, second, approved, how in (
        ("manager", "lead", True, "the manager approves first, and the lead refuses"),
        ("lead", "manager", True, "the lead refuses first, and the manager approves"),
        ("lead", "manager", False, "the lead approves first, and the manager refuses"),
    ):
        case = order(trial)
        told = {"manager": (manager, approved), "lead": (lead, not approved)}
        for role in (first, second):
            tell(case, role, *told[role])
        status = "reassigned" if approved else "kept"
        yield from wished(case, status, manager, lead, how)
    twice = order(trial)
    tell(twice, "manager", manager, False)
    tell(twice, "manager", manager, False)
    yield waits(twice, "after two answers of the manager the answer of the lead is waited for")
    tell(twice, "lead", lead, True)
    often = order(trial)
    for _ in range(MANY):
        tell(often, "lead", lead, True)
    tell(often, "manager", manager, False)
    for one in wished(twice, "kept", manager, lead, "the manager refuses twice", "twice"):
        is_status = one.id == "twice" and one.expected == "kept"
        yield besides(one, lambda: miscounted(often, manager, lead)) if is_status else one


def order(trial):
    return trial.order(lead_email=trial.draw.email(), manager_email=trial.draw.email())


def wished(case, status, by, opinion, how, id="says"):
    yield ended(case)
    yield says(case, status, "status", id=id, checked=f"{how}: the status in the output")
    yield says(case, by, "by", id=id, checked=f"{how}: who has decided")
    yield says(case, opinion, "opinion", id=id, checked=f"{how}: whose opinion it was")
    yield Check(
        "assigned",
        f"{how}: the assignments to the manager",
        int(status == "reassigned"),
        lambda: assignments(case),
        f'lab.ledger("{APP}", "assignments")',
    )
    for person in ("lead", "manager"):
        yield mailed(case, case.order[f"{person}_email"], id="before", who=f"the {person}")


def waits(case, checked):
    return Check(
        "twice", checked, "RUNNING", lambda: case.run.settle(2), "lab.run(ID).history"
    )  # fmt: skip


def miscounted(case, manager, lead):
    """What is to be said when many answers of the lead are more than one opinion."""
    status = case.settled()
    found = [part(case.output, key) for key in ("status", "by", "opinion")]
    if status == "COMPLETED" and found == ["kept", manager, lead]:
        return ""
    seen = found if status == "COMPLETED" else status
    return f"after {MANY} answers of the lead and a refusal of the manager: {seen}"


def tell(case, role, by, approved):
    data = {"role": role, "by": by, "approved": approved}
    case.lab.client(APP).raise_workflow_event(case.instance_id, "answer", data=data)


def assignments(case):
    """Those of the manager that a step of this workflow has written."""
    done = [s for s in case.steps("assign_task", APP) if s.outcome == "completed"]
    manager = case.order["manager_email"]
    return sum(s.argument.get("assignee") == manager for s in done)
