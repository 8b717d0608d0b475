"""Steps that observe the lab of this exercise."""

from labkit.exercises.steps import ending

from labkit.exercises.checking import Step


def steps(lab):
    yield Step(
        "ended",
        "the workflow of the order is completed",
        "COMPLETED",
        lambda: ending(lab.run("order"), 12),
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
        "tries",
        "the mail was tried four to six times",
        "four to six",
        lambda: tries(lab),
        'lab.ledger("notification-service", "tries")',
    )


def tries(lab):
    count = len(lab.ledger("notification-service", "tries"))
    return "four to six" if 4 <= count <= 6 else count
