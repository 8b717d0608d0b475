"""Steps that observe the lab of this exercise."""

from labkit.exercises.steps import part

from labkit.exercises.checking import Step


def steps(lab):
    good, bad = lab.run("good"), lab.run("bad")
    yield Step(
        "ends",
        "both workflows complete",
        "COMPLETED, COMPLETED",
        lambda: f"{good.settle()}, {bad.settle()}",
        'lab.run("bad").failure',
    )
    yield Step(
        "good",
        "the compliant task is completed",
        "completed",
        lambda: part(good, "status"),
        'lab.run("good").output',
    )
    yield Step(
        "held",
        "the other one is held",
        "held",
        lambda: part(bad, "status"),
        'lab.run("bad").output',
    )
    yield Step(
        "alert",
        "there is one alert, for the task that is held",
        ["task-124"],
        lambda: [row["task_id"] for row in lab.ledger("audit-service", "alerts")],
        'lab.ledger("audit-service", "alerts")',
    )
