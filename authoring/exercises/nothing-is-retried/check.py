"""Steps that observe the lab of this exercise."""

from labkit.exercises.steps import ending, part

from labkit.exercises.checking import Step


def steps(lab):
    run = lab.run("order")
    yield Step(
        "ended",
        "the workflow of the order is completed",
        "COMPLETED",
        lambda: ending(run),
        "lab.run('order').failure",
    )
    yield Step(
        "sent",
        "the result says that the mail was sent",
        True,
        lambda: part(run, "notifications_sent", 0, "sent"),
        "lab.run('order').output, and the attempts in its history",
    )
    yield Step(
        "mail",
        "the assignee gets one mail",
        1,
        lambda: len(lab.inbox.to("alice@example.com")),
        "lab.inbox, and the log of notification-service",
    )
