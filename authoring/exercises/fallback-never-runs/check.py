"""Steps that observe the lab of this exercise."""

from labkit.exercises.steps import ending, part

from labkit.exercises.checking import Step


def steps(lab):
    run = lab.run("order")
    yield Step(
        "ended",
        "the order is completed although notification-service is not there",
        "COMPLETED",
        lambda: ending(run),
        "lab.run('order').history: its last lines",
    )
    yield Step(
        "told",
        "the result says that neither mail nor push was sent",
        [False, False],
        lambda: [part(run, "notifications_sent", n, "sent") for n in (0, 1)],
        "lab.run('order').output",
    )
    yield Step(
        "tried",
        "the history shows that both were tried",
        ["send_email", "send_push"],
        lambda: tried(run),
        "what the children were given: lab.run('order').history.children",
    )


def tried(run):
    """Which notifications a child of this run was given, whoever runs it."""
    given = [e.argument for r in run.history.walk() for e in r.events if e.argument]
    words = [str(g) for g in given]
    return [n for n in ("send_email", "send_push") if any(n in w for w in words)]
