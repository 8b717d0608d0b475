"""What many checks ask: how a workflow ended, a part of its output, a sidecar and its store."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from labkit.apps import App, SidecarSilent
from labkit.attached import Attached
from labkit.exercises.checking import Step
from labkit.workflowrun import Run

ORCHESTRATOR = "task-orchestrator-service"


def ending(run: Run, within: float = 3) -> str:
    """Return the status once the workflow has ended or stands still, with the failure if any.

    Args:
        within: see :meth:`labkit.workflowrun.Run.settle`, in seconds.
    """
    status = run.settle(within)
    return f"{status}: {run.failure.message}" if run.failure else status


def part(run: Run, *keys: str | int) -> Any:
    """Return a part of a workflow's output; where it has no such part, the output in words."""
    value = run.output
    for key in keys:
        try:
            value = value[key]
        except (TypeError, KeyError, IndexError):
            return f"another form: {run.output}"
    return value


def an_order_with_a_store(lab: Attached) -> Iterator[Step]:
    """Both sidecars run, the orchestrator has an actor state store, and the order gets its mail."""
    yield Step(
        "sidecars",
        "both sidecars run",
        {ORCHESTRATOR: "answers", "notification-service": "answers"},
        lambda: {app.app_id: _answer(app) for app in lab.started_apps()},
        "lab.status(), and the last lines of the log of the sidecar",
    )
    yield Step(
        "store",
        "the sidecar of the orchestrator has an actor state store",
        "a name",
        lambda: _actor_store(lab.app(ORCHESTRATOR)),
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


def _answer(app: App) -> str:
    with suppress(SidecarSilent):
        app.metadata()
        return "answers"
    fatal = [line for line in app.logs("sidecar").splitlines() if "level=fatal" in line]
    said = re.findall(r'msg="(.*?)" app_id', fatal[-1]) if fatal else []
    return said[0] if said else "does not answer"


def _actor_store(app: App) -> str:
    found = re.findall(r"Using '([^']+)' as actor state store", app.logs("sidecar"))
    return found[-1] if found else "none"
