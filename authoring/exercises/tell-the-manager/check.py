"""Steps that observe the lab of this exercise."""

from labkit.exercises.steps import ending

from labkit.exercises.checking import Step


def steps(lab):
    yield Step(
        "ended",
        "the workflow of the order is completed",
        "COMPLETED",
        lambda: ending(lab.run("order")),
        'lab.run("order").history',
    )
    for who, address in (("assignee", "alice@example.com"), ("manager", "manager@example.com")):
        yield Step(
            who,
            f"the {who} gets one mail",
            1,
            lambda address=address: len(lab.inbox.to(address)),
            "lab.inbox",
        )
    yield Step(
        "keys",
        "the two mails have two keys",
        2,
        lambda: len({mail.idempotency_key for mail in lab.inbox}),
        "lab.inbox",
    )
