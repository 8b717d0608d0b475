"""Steps that observe the lab of this exercise."""

from labkit.exercises.checking import Step
from labkit.exercises.steps import ending


def steps(lab):
    yield Step(
        "ended",
        "the workflow of the order is completed",
        "COMPLETED",
        lambda: ending(lab.run("order")),
        'lab.run("order").history',
    )
    yield Step(
        "mail",
        "the assignee gets one mail",
        1,
        lambda: len(lab.inbox.to("alice@example.com")),
        "lab.inbox",
    )
    yield Step(
        "where",
        "the mail is sent by notification-service",
        "notification-service",
        lambda: sender(lab.run("order")),
        'lab.run("order").history.steps()',
    )


def sender(run):
    found = [s.app_id for s in run.history.steps() if s.name == "send_email"]
    return ", ".join(found) or "nobody in another app"
