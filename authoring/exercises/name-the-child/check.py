"""The audit of each task has the ID USER-TASK, and runs in audit-service as before."""

from labkit.exercises.cases import AUDIT, Case
from labkit.exercises.observations import Check, as_before, ended, mailed, ordered, says

WORKFLOW, AUDITS = "task_with_audit", "compliance_audit_workflow"


def steps(lab):
    yield from wished([Case(lab, name, WORKFLOW) for name in ("one", "two")])


def counter(trial):
    """Two tasks whose IDs hold letters and numbers, begin alike, and are no lower-case slugs."""
    trial.lab()
    id = f"{trial.draw.word()}-{trial.draw.number()}"
    yield from wished([trial.order(task_id=task_id) for task_id in (id, f"{id}_B")])


def wished(cases):
    for case in cases:
        yield ordered(case)
        yield ended(case)
    yield Check(
        "ids",
        "the ID of each audit is that of the user, a hyphen, and that of the task",
        [id_of(case) for case in cases],
        lambda: [audit.child_instance_id for case in cases for audit in audits(case)],
        "lab.run(ID).history.children",
    )
    yield Check(
        "where",
        f"these audits are {AUDITS} in {AUDIT}, and are completed",
        [f"{AUDITS} in {AUDIT}: COMPLETED"] * len(cases),
        lambda: [ran(case) for case in cases],
        "lab.run(ID).history.children",
    )
    for case in cases:
        yield from undisturbed(case)


def undisturbed(case):
    yield mailed(case, id="before")
    answer = next((audit.value for audit in audits(case)), None)
    yield says(case, answer, "audit", id="before", checked="the output has the answer of the audit")
    yield from as_before(case)


def audits(case):
    """The calls of the audit; a workflow may have other children."""
    return [s for s in case.steps(AUDITS) if s.kind == "child"]


def id_of(case):
    return f"{case.order['assignee_user_id']}-{case.order['task_id']}"


def ran(case):
    """What the runtime recorded under the ID of the audit, in the child's own history."""
    found = [h for h in case.history.walk() if h.instance_id == id_of(case)]
    return ", ".join(f"{h.name} in {h.app_id}: {h.status}" for h in found) or "no such child"
