"""Steps that observe the lab of this exercise."""

from labkit.exercises.steps import ending, part

from labkit.exercises.checking import Step
from labkit.waiting import poll


def steps(lab):
    run = lab.run("order")
    yield Step(
        "ended",
        "the workflow of the order is completed",
        "COMPLETED",
        lambda: ending(lab.run("order"), 12),
        'lab.run("order").history',
    )
    yield Step(
        "in-time",
        "the workflow ended in time",
        "less than 6 s",
        lambda: f"{seconds(run):.1f} s",
        'lab.run("order").show()',
        holds=lambda told: float(told.split()[0]) < 6,
    )
    yield Step(
        "says",
        "the output says that the mail is not sent yet",
        False,
        lambda: part(run, "notifications_sent", 0, "sent"),
        'lab.run("order").output',
    )
    yield Step(
        "mail",
        "the mail arrives later, once",
        1,
        lambda: arrived(lab),
        "lab.inbox",
    )


def seconds(run):
    events = run.history.events
    return (events[-1].time - events[0].time).total_seconds()


def arrived(lab):
    poll(lambda: len(lab.inbox.to("alice@example.com")) > 0, within=10)
    return len(lab.inbox.to("alice@example.com"))
