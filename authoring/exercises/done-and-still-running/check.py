"""Orders with an audit end, and the audit is still closed to everybody else."""

from labkit.exercises.cases import AUDIT, NOTIFICATIONS, Case
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
    stranger = trial.draw.instance_id()
    join(lab, stranger)
    yield closed(lab, unwanted(stranger))
    yield from as_before(audited)


def unwanted(stranger):
    title = "a new app: {} of {}"
    for name in ("send_email", "send_push"):
        as_titled = title.format(f"activity {name}", NOTIFICATIONS)
        yield Call(stranger, NOTIFICATIONS, "activity", name, as_titled)
    yield Call(stranger, AUDIT, "schedule", AUDITING, title.format(f"schedule {AUDITING}", AUDIT))
    yield Call(NOTIFICATIONS, AUDIT, "schedule", AUDITING)
    yield Call(AUDIT, NOTIFICATIONS, "activity", "send_email")
