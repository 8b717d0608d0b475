"""Steps that observe the lab of this exercise."""

from labkit.exercises.steps import ending

from labkit.exercises.checking import Step


def steps(lab):
    run = lab.run("order")
    yield Step(
        "worker",
        "a worker of notification-service is connected to its sidecar",
        1,
        lambda: lab.app("notification-service").connected_workers(),
        "lab.app('notification-service').metadata(): what it has and lacks; and the log of the worker",
    )
    yield Step(
        "ended",
        "the workflow of the order is completed",
        "COMPLETED",
        lambda: ending(run),
        "lab.run('order').failure and .history",
    )
    yield Step(
        "mail",
        "the assignee gets one mail",
        1,
        lambda: len(lab.inbox.to("alice@example.com")),
        "lab.inbox, and the log of notification-service",
    )
