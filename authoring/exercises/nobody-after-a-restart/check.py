"""The order that was under way goes on by itself, and all its mails are sent."""

from labkit.exercises.accidents import happened, running, spared
from labkit.exercises.cases import Case
from labkit.exercises.observations import Check, ended, mailed, ordered, says

WORKFLOW = "task_escalation"
OTHERS = ()


def steps(lab):
    case = Case(lab, "order", WORKFLOW)
    yield ordered(case)
    yield running(case, "placement")
    yield from wished(case, within=60)
    yield happened(case, "placement")
    yield spared(case, "placement", ["notification-service worker"])


def counter(trial):
    """The files were right before, and still are."""
    trial.lab()
    yield from wished(trial.order(manager_email=trial.draw.email()), within=10)


def wished(case, within):
    yield ended(case, within=within)
    yield says(case, "timed out", "status", checked="nobody has answered, and the output says so")
    yield mailed(case, count=2)
    yield mailed(case, case.order["manager_email"], 1, who="the manager")
    yield Check(
        "before",
        "the task is assigned once",
        ["completed"],
        lambda: [step.outcome for step in case.steps("assign_task")],
        f"lab.run({case.instance_id!r}).history.steps()",
    )
