"""Steps that observe the lab of this exercise."""

from labkit.exercises.checking import Step

NAMES = [f"order-{number}" for number in range(6)]


def steps(lab):
    yield Step(
        "workers",
        "one worker is connected to the sidecar of notification-service",
        1,
        lambda: lab.app("notification-service").connected_workers(),
        'lab.app("notification-service").metadata()["workflows"]',
    )
    yield Step(
        "attempts",
        "no attempt of the six orders failed",
        "none failed",
        lambda: failed(lab),
        'lab.run("order-0").history, and those of order-1 to order-5',
    )
    yield Step(
        "mails",
        "six mails arrived",
        6,
        lambda: len(lab.inbox),
        "lab.inbox",
    )


def failed(lab):
    found = [s for name in NAMES for s in lab.run(name).history.steps() if s.outcome == "failed"]
    types = sorted({s.failure.error_type for s in found if s.failure})
    return f"some failed: {', '.join(types)}" if found else "none failed"
