"""Steps that observe the lab of this exercise."""

from labkit.exercises.steps import ending

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
        "mail",
        "the assignee gets one mail",
        1,
        lambda: len(lab.inbox.to("alice@example.com")),
        "lab.inbox, and the log of notification-service",
    )
