"""Steps that observe the lab of this exercise."""

from labkit.exercises.steps import ending

from labkit.exercises.checking import Step

ORCHESTRATOR = "task-orchestrator-service"


def steps(lab):
    run = lab.run("order")
    yield Step(
        "ended",
        "the workflow of the order is completed",
        "COMPLETED",
        lambda: ending(run),
        'lab.run("order").history, and the log of the sidecar of ' + ORCHESTRATOR,
    )
    yield Step(
        "asked",
        "another app of this lab is asked to send the mail",
        "an app other than " + ORCHESTRATOR,
        lambda: asked(run),
        'lab.run("order").history.steps()',
        lambda app: app in {a.app_id for a in lab.started_apps()} - {ORCHESTRATOR},
    )
    yield Step(
        "mail",
        "the assignee gets one mail",
        1,
        lambda: len(lab.inbox.to("alice@example.com")),
        "lab.inbox, and the log of notification-service",
    )


def asked(run):
    apps = [s.app_id for s in run.history.steps() if s.name == "send_email"]
    return apps[0] if apps else "nobody"
