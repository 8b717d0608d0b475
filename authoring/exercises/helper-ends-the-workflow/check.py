"""Steps that observe the lab of this exercise."""

from labkit.exercises.checking import Step


def steps(lab):
    run = lab.run("order")
    yield Step(
        "ended",
        "the order is completed with both notifications",
        "COMPLETED",
        lambda: ending(run),
        "lab.run('order').history: what is it waiting for?",
    )
    yield Step(
        "told",
        "the result says that mail and push were sent",
        [True, True],
        lambda: [n["sent"] for n in run.output["notifications_sent"]],
        "lab.run('order').output",
    )
    yield Step(
        "mail",
        "the assignee gets one mail",
        1,
        lambda: len(lab.inbox.to("alice@example.com")),
        "lab.inbox, and the log of notification-service",
    )


def ending(run):
    status = run.settle(3)
    return f"{status}: {run.failure.message}" if run.failure else status
