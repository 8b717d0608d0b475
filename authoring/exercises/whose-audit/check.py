"""Steps that observe the lab of this exercise."""

from labkit.exercises.checking import Step

TASKS = ("task-1", "task-2")


def steps(lab):
    yield Step(
        "ended",
        "both orders are completed",
        ["COMPLETED", "COMPLETED"],
        lambda: [lab.run(t).settle(3) for t in TASKS],
        "lab.run('task-1'), lab.run('task-2')",
    )
    yield Step(
        "own",
        "the child of each order holds the history of this order",
        {t: t for t in TASKS},
        lambda: {t: audited(lab, t) for t in TASKS},
        "lab.run('task-1').history.children",
    )


def audited(lab, task_id):
    """Which task the child's history is about, as its own app tells it."""
    children = lab.run(task_id).history.children
    started = [e for c in children for e in c.events if e.kind == "executionStarted"]
    return started[0].argument["task_id"] if started else "no child"
