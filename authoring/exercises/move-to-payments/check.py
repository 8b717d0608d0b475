"""Steps that observe the lab of this exercise."""

from labkit.exercises.steps import ending

from labkit.exercises.checking import Step


def steps(lab):
    yield Step(
        "ended",
        "the workflow of the order is completed",
        "COMPLETED",
        lambda: ending(lab.run("order")),
        'lab.run("order").history',
    )
    yield Step(
        "namespaces",
        "both apps are in the namespace payments",
        ["payments", "payments"],
        lambda: [namespace(app) for app in lab.started_apps()],
        'lab.app("notification-service").metadata()["actorRuntime"]["activeActors"]',
    )


def namespace(app):
    return app.metadata()["actorRuntime"]["activeActors"][0]["type"].split(".")[2]
