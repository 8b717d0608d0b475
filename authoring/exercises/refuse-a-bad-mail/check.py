"""Steps that observe the lab of this exercise."""

from labkit.exercises.checking import Step


def steps(lab):
    good, bad = lab.run("good"), lab.run("bad")
    yield Step(
        "good",
        "a right mail is delivered",
        "COMPLETED, 1 mail",
        lambda: f"{good.settle(8)}, {len(lab.inbox.to('alice@example.com'))} mail",
        'lab.run("good") and lab.inbox',
    )
    yield Step(
        "bad",
        "a recipient without an @ makes the call fail",
        "FAILED",
        lambda: bad.settle(8),
        'lab.run("bad")',
    )
    yield Step(
        "nothing",
        "nothing was delivered for it",
        0,
        lambda: sum(r["recipient"] == "nowhere" for r in rows(lab)),
        'lab.ledger("notification-service", "deliveries")',
    )
    yield Step(
        "says",
        "the failure names the field",
        "recipient is named",
        lambda: "recipient is " + ("named" if "recipient" in bad.failure.message else "not named"),
        'lab.run("bad").failure',
    )


def rows(lab):
    return lab.ledger("notification-service", "deliveries")
