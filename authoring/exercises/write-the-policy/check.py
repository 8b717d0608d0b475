"""The calls of the course's workflows are let through, and no other call of anybody."""

from labkit.exercises.cases import Case
from labkit.exercises.observations import as_before, ended, mailed, ordered
from labkit.exercises.strangers import closed, join, unwanted


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
    stranger = trial.draw.instance_id()
    join(lab, stranger)
    yield closed(lab, unwanted(audited, stranger, trial.draw))
    yield from as_before(audited)
