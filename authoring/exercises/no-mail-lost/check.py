"""Steps that observe the lab of this exercise."""

from labkit.exercises.steps import ending

from labkit.exercises.checking import Step
from labkit.waiting import poll


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
        "after the kill, the assignee has one mail",
        1,
        lambda: arrived(lab),
        "lab.inbox",
    )


def arrived(lab):
    poll(lambda: len(lab.inbox.to("alice@example.com")) > 0, within=4)
    return len(lab.inbox.to("alice@example.com"))
