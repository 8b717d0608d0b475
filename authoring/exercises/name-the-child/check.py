"""Steps that observe the lab of this exercise."""

from labkit.exercises.steps import ending

from labkit.exercises.checking import Step


def steps(lab):
    yield Step(
        "ended",
        "the workflow of the first order ends",
        "COMPLETED",
        lambda: ending(lab.run("one")),
        'lab.run("one").history',
    )
    yield Step(
        "ids",
        "each audit is named after its task",
        ["audit-task-123", "audit-task-124"],
        lambda: [child(lab.run(name)).instance_id for name in ("one", "two")],
        'lab.run("one").history.children',
    )
    yield Step(
        "where",
        "the audits ran in audit-service",
        "audit-service",
        lambda: child(lab.run("two")).app_id,
        'lab.run("two").history.children',
    )


def child(run):
    return run.history.children[0]
