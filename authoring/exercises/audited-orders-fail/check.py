"""Steps that observe the lab of this exercise."""

from labkit.exercises.steps import ending

from labkit.apps import NoLedger
from labkit.exercises.checking import Step

ORCHESTRATOR = "task-orchestrator-service"


def steps(lab):
    run = lab.run("order")
    yield Step(
        "ended",
        "the workflow of the order is completed",
        "COMPLETED",
        lambda: ending(run),
        'lab.run("order").history, and the log of the sidecar of ' + ORCHESTRATOR,
    )
    yield Step(
        "audited",
        "audit-service has recorded the order once",
        1,
        lambda: recorded(lab),
        "lab.ledger('audit-service', 'events')",
    )


def recorded(lab):
    try:
        return len(lab.ledger("audit-service", "events"))
    except NoLedger:
        return 0
