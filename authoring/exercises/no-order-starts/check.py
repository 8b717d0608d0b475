"""Steps that observe the lab of this exercise."""

import re
from contextlib import suppress

from labkit.apps import SidecarSilent
from labkit.exercises.checking import Step


def steps(lab):
    yield Step(
        "sidecars",
        "both sidecars run",
        {"task-orchestrator-service": "answers", "notification-service": "answers"},
        lambda: {app.app_id: answer(app) for app in lab.started_apps()},
        "lab.status(), and the last lines of the log of the sidecar",
    )
    yield Step(
        "store",
        "the sidecar of the orchestrator has an actor state store",
        "a name",
        lambda: actor_store(lab.app("task-orchestrator-service")),
        "the log of its sidecar: it names the actor state store when it starts",
        lambda name: name != "none",
    )
    run = lab.run("order")
    yield Step(
        "ended",
        "the workflow of the order is completed",
        "COMPLETED",
        lambda: ending(run),
        "lab.run('order').history",
    )
    yield Step(
        "mail",
        "the assignee gets one mail",
        1,
        lambda: len(lab.inbox.to("alice@example.com")),
        "lab.inbox, and the log of notification-service",
    )


def answer(app):
    with suppress(SidecarSilent):
        app.metadata()
        return "answers"
    fatal = [line for line in app.logs("sidecar").splitlines() if "level=fatal" in line]
    said = re.findall(r'msg="(.*?)" app_id', fatal[-1]) if fatal else []
    return said[0] if said else "does not answer"


def actor_store(app):
    found = re.findall(r"Using '([^']+)' as actor state store", app.logs("sidecar"))
    return found[-1] if found else "none"


def ending(run):
    status = run.settle(3)
    return f"{status}: {run.failure.message}" if run.failure else status
