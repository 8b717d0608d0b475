"""Steps that observe the lab of this exercise."""

from labkit.exercises.steps import ending, part

from labkit.exercises.checking import Step


def steps(lab):
    run = lab.run("order")
    yield Step(
        "ended",
        "the workflow of the order is completed",
        "COMPLETED",
        lambda: ending(lab.run("order")),
        'lab.run("order").history',
    )
    yield Step(
        "both",
        "the result holds both answers",
        2,
        lambda: len(part(run, "notifications_sent")),
        'lab.run("order").output',
    )
    yield Step(
        "sent",
        "one mail and one push were sent",
        "1 mails, 1 pushes",
        lambda: f"{len(lab.inbox)} mails, {pushes(lab)} pushes",
        'lab.inbox, and lab.ledger("notification-service", "pushes")',
    )
    yield Step(
        "together",
        "both were under way at the same time",
        "together",
        lambda: how(run),
        'lab.run("order").show()',
    )


def pushes(lab):
    return sum(r["channel"] == "push" for r in lab.ledger("notification-service", "deliveries"))


def how(run):
    first, second = (s for s in run.history.steps() if s.name in ("send_email", "send_push"))
    return "together" if second.began < first.ended else "one after the other"
