"""Steps that observe the lab of this exercise."""

from labkit.exercises.steps import ending, part

from labkit.exercises.checking import Step


def steps(lab):
    run = lab.run("order")
    yield Step(
        "ended",
        "the order is completed with both notifications",
        "COMPLETED",
        lambda: ending(run),
        "lab.run('order').history: its last lines",
    )
    yield Step(
        "told",
        "the result says that mail and push were sent",
        [True, True],
        lambda: [part(run, "notifications_sent", n, "sent") for n in (0, 1)],
        "lab.run('order').output",
    )
    yield Step(
        "mail",
        "the assignee gets one mail",
        1,
        lambda: len(lab.inbox.to("alice@example.com")),
        "lab.inbox, and the log of notification-service",
    )
    yield Step(
        "fallback",
        "each message is in a child that the order can give up",
        ["deliver_notification", "deliver_notification"],
        lambda: [s.name for s in run.history.own_steps() if s.kind == "child"],
        "lab.run('order').history",
    )
