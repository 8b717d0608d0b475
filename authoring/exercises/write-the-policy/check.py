"""The calls of the course's workflows are let through, and no other call of anybody."""

from labkit.exercises.cases import AUDIT, NOTIFICATIONS, ORCHESTRATOR, Case
from labkit.exercises.observations import as_before, ended, mailed, ordered
from labkit.exercises.strangers import Call, closed, join

AUDITING = "compliance_audit_workflow"


def steps(lab):
    case = Case(lab, "order", "task_with_audit")
    yield ordered(case)
    yield ended(case)
    yield mailed(case)


def counter(trial):
    lab = trial.lab()
    audited = trial.order()
    yield ended(audited)
    yield mailed(audited)
    pushed = trial.order("task_processing_multi_app")
    yield ended(pushed)
    stranger, word = trial.draw.instance_id(), trial.draw.word()
    join(lab, stranger)
    yield closed(lab, unwanted(audited, stranger, word))
    yield from as_before(audited)


def unwanted(case, stranger, word):
    new = "a new app"
    for name in ("send_email", "send_push"):
        title = f"{new}: activity {name} of {NOTIFICATIONS}"
        yield Call(stranger, NOTIFICATIONS, "activity", name, title)
        yield Call(AUDIT, NOTIFICATIONS, "activity", name)
    yield Call(stranger, AUDIT, "schedule", AUDITING, f"{new}: schedule {AUDITING} of {AUDIT}")
    yield Call(NOTIFICATIONS, AUDIT, "schedule", AUDITING)
    other = f"{ORCHESTRATOR}: another activity of {NOTIFICATIONS}"
    # Names that a pattern close to the wanted ones lets through.
    yield Call(ORCHESTRATOR, NOTIFICATIONS, "activity", f"send_email_{word}", other)
    yield Call(ORCHESTRATOR, AUDIT, "activity", "log_audit_event")
    other = f"{ORCHESTRATOR}: schedule another workflow of"
    yield Call(ORCHESTRATOR, AUDIT, "schedule", f"{AUDITING}_{word}", f"{other} {AUDIT}")
    yield Call(ORCHESTRATOR, NOTIFICATIONS, "schedule", word, f"{other} {NOTIFICATIONS}")
    (child,) = [run for run in case.history.walk() if run.app_id == AUDIT]
    ending = f"{ORCHESTRATOR}: terminate an instance of {AUDIT}"
    yield Call(ORCHESTRATOR, AUDIT, "terminate", child.instance_id, ending)
