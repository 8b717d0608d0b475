"""Steps that observe the lab of this exercise."""

from labkit.exercises.steps import ending

from labkit.exercises.checking import Step

OTHERS = ("task-orchestrator-service", "notification-service")


def steps(lab):
    yield Step(
        "ended",
        "the workflow of the order is completed",
        "COMPLETED",
        lambda: ending(lab.run("order")),
        'lab.run("order").history',
    )
    yield Step(
        "others",
        "the other apps do not have auditstore",
        "statestore, statestore",
        lambda: ", ".join(name for app_id in OTHERS for name in components(lab, app_id)),
        'lab.app("notification-service").metadata()["components"]',
    )
    yield Step(
        "audit",
        "audit-service has auditstore and nothing else",
        ["auditstore"],
        lambda: components(lab, "audit-service"),
        'lab.app("audit-service").metadata()["components"]',
    )
    yield Step(
        "child",
        "the child ran in audit-service",
        "audit-service",
        lambda: lab.run("order").history.children[0].app_id,
        'lab.run("order").history.children',
    )


def components(lab, app_id):
    return sorted(c["name"] for c in lab.app(app_id).metadata()["components"])
