"""Steps that observe the lab of this exercise."""

from labkit.exercises.checking import Step


def steps(lab):
    yield Step(
        "ended",
        "both orders are completed",
        ["COMPLETED", "COMPLETED"],
        lambda: [lab.run(name).settle(3) for name in ("first", "second")],
        "lab.run('first'), and the log of notification-service",
    )
    yield Step(
        "mails",
        "one mail of the first order arrived although the activity ran twice",
        1,
        lambda: mails(lab, "first"),
        "lab.inbox, and lab.ledger('notification-service', 'attempts')",
    )
    yield Step(
        "lost",
        "the mail of the second order arrived, which had not left before the kill",
        1,
        lambda: mails(lab, "second"),
        "lab.inbox, and the order of the steps in deliver_once",
    )


def mails(lab, name):
    return sum(f"{name} order" in mail.subject for mail in lab.inbox)
