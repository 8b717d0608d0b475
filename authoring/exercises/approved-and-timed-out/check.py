"""An approval counts, whenever it comes; without one the workflow times out as before."""

from labkit.exercises.cases import Case
from labkit.exercises.observations import Check, ended, mailed, ordered, says

APP, WORKFLOW = "escalation-service", "task_escalation"
OTHERS = ()


def steps(lab):
    case = Case(lab, "order", WORKFLOW)
    yield ordered(case)
    yield ended(case, within=8)
    yield from outcome(case, "reassigned", "morgan")


def counter(trial):
    trial.lab()
    who = trial.draw.word()
    silent, yes, no, done = (trial.order(manager_email=trial.draw.email()) for _ in range(4))
    tell(yes, "approval", {"approved": True, "by": who})
    tell(no, "approval", {"approved": False, "by": who})
    tell(done, "task_done", {"by": who})
    for case, status, by in (
        (yes, "reassigned", who),
        (no, "kept", who),
        (silent, "timed out", None),
        (done, "done", who),
    ):
        yield ended(case, within=8)
        yield from outcome(case, status, by)
    for case, count in ((silent, 3), (done, 1)):
        yield mails(case, count)
    yield mailed(silent, silent.order["manager_email"], 1, id="before", who="the manager")
    yield Check(
        "before",
        "the task is assigned once, and after an approval to the manager, too",
        [1, 2, 1],
        lambda: [rows(silent), rows(yes), rows(no)],
        f'lab.ledger("{APP}", "assignments")',
    )


def outcome(case, status, by):
    why = {
        "reassigned": "after an approval that came early",
        "kept": "after a refusal that came early",
        "timed out": "when nobody answers",
        "done": "after task_done",
    }[status]
    yield says(case, status, "status", id="says", checked=f"the status in the output {why}")
    yield says(case, by, "by", id="says", checked=f"who has answered, {why}")


def mails(case, count):
    """All that the assignee got; the history of the last round names only the mails of that."""
    return Check(
        "before",
        f"the assignee of the order that ends with {case.output['status']!r} gets its mails",
        f"mails: {count}",
        lambda: f"mails: {len(case.lab.inbox.to(case.order['assignee_email']))}",
        "lab.inbox",
    )


def tell(case, event, data):
    case.lab.client(APP).raise_workflow_event(case.instance_id, event, data=data)


def rows(case):
    """How many assignments of the task there are."""
    assignees = {case.order["assignee_email"], case.order["manager_email"]}
    return sum(r["assignee"] in assignees for r in case.lab.ledger(APP, "assignments"))
