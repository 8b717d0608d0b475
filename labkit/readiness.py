"""When is a lab ready: asked of the running system, never assumed.

Ready means: placement and scheduler healthy; each sidecar healthy; each service alive with its
worker connected; and each sidecar finds the actors behind its workflows, so that calls arrive. A
service that has ended is never ready, whatever its exit code.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress

import psutil

from labkit.apps import App, SidecarSilent
from labkit.controlplane import ControlPlane
from labkit.errors import StartError
from labkit.history import finds_workflows
from labkit.launch import Part
from labkit.processes import Process
from labkit.waiting import patience, pause

OPTIONAL_WORKER_SECONDS = 3.0
"""An app may have no workflows: a web app (``appPort``), or one without an actor state store, which
workflows need. Wait this long for its worker."""


class AppWithoutWorker(StartError):
    """A sidecar is healthy, but no worker has connected to it."""

    code = "app-without-worker"


class TwoWorkers(StartError):
    """A worker that this lab did not start is connected to a sidecar, beside the app's own."""

    code = "two-workers"


class NotReady(StartError):
    """Something was not ready before the deadline."""

    code = "not-ready"


def wait(
    control: ControlPlane, others: Iterable[Process], apps: Sequence[App], within: float
) -> None:
    """Return when everything is ready.

    Raises:
        ProcessEnded: a process ended while starting; carries the telling line of its log.
        AppWithoutWorker, TwoWorkers, NotReady: not ready after ``within`` seconds, or longer on a
            machine that is busy.
    """
    watched = [*control.processes.values(), *others]
    began = time.monotonic()
    waiting = list(apps)
    while True:
        asked = time.monotonic()
        for process in watched:
            process.require_alive("start the lab", "lab.up() starts it again")
        for app in apps:
            _require_processes(app)
        late = time.monotonic() - began
        waiting = [a for a in waiting if not _is_ready(a, late)]
        if not waiting and control.is_ready():
            return
        if late > within and late > within * patience():
            raise _too_late(control, waiting or list(apps), late)
        time.sleep(pause(time.monotonic() - asked))


def _is_ready(app: App, late: float) -> bool:
    if not app.is_healthy():
        return False
    if not app.has_service:
        return True
    workers, offered = _offers(app)
    if workers > 1 and (strangers := _strangers(app)):
        raise _two_workers(app, workers, strangers)
    if workers and offered:
        return app.lacks_actor_store() or finds_workflows(app.grpc_address, app.shared.token)
    optional = late > OPTIONAL_WORKER_SECONDS * patience()
    return optional and (bool(app.spec.app_port) or app.lacks_actor_store())


def _offers(app: App) -> tuple[int, bool]:
    """Return the number of workers, and whether the sidecar offers actor types to others."""
    try:
        said = app.metadata()
    except SidecarSilent:
        return 0, False
    actors = said.get("actorRuntime") or {}
    offered = bool(actors.get("activeActors")) and "connected" in str(actors.get("placement"))
    workers = int((said.get("workflows") or {}).get("connectedWorkers", 0))
    return workers, offered and bool(actors.get("hostReady"))


def _strangers(app: App) -> list[str]:
    """Return who else holds a connection to a sidecar: pid and command line.

    What the service itself started belongs to its session and is its own affair.
    """
    worker, found = app.process("worker"), []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            ports = {c.raddr.port for c in process.net_connections("tcp") if c.raddr}
            own = process.pid == os.getpid() or (worker and os.getsid(process.pid) == worker.pid)
            if app.grpc_port in ports and not own:
                found.append(f"{process.pid} {' '.join(process.cmdline())[:100]}")
    return found


def _require_processes(app: App) -> None:
    for process in app.running_or_ended():
        if process.is_alive:
            continue
        if process is app.process("sidecar"):
            raise process.ended(f"start {app.app_id}", app.fix_of(process))
        # It may have come too early, or have left a worker that runs on its own.
        if not app.starts_again() and not process.left_something():
            so = ", so no worker is connected"
            raise process.ended(f"start {app.app_id}", app.fix_of(process), so)


def _two_workers(app: App, workers: int, strangers: Sequence[str]) -> TwoWorkers:
    return TwoWorkers(
        f"{workers} workers are connected to the sidecar of {app.app_id}",
        asked=f"one worker for {app.app_id}",
        found=f"connectedWorkers {workers}, so work goes to them in turn; not started by this lab: "
        + "; ".join(strangers),
        look_at=f'lab.app({app.app_id!r}).metadata()["workflows"]',
        fix="end the process that does not belong here, then start again",
    )


def _too_late(control: ControlPlane, waiting: Sequence[App], late: float) -> StartError:
    app = waiting[0]
    asked = f"start {', '.join(a.app_id for a in waiting)} within {late:.0f} s"
    if not app.is_healthy():
        return NotReady(
            f"{app.app_id} is not ready after {late:.0f} s",
            asked=asked,
            found=f"its sidecar does not answer; control plane ready: {control.is_ready()};"
            f" its log says: {_said(app, 'sidecar')}",
            look_at=str(app.shared.folder / "logs" / f"{app.app_id}.sidecar.log"),
            fix=f"fix what the log names; on a slow machine: lab.up({app.app_id!r}, within=60)",
        )
    if app.has_service and app.connected_workers() == 0:
        worker = app.process("worker")
        return AppWithoutWorker(
            f"{app.app_id} has a healthy sidecar, but no worker is connected to it",
            asked=asked,
            found=f"connected workers 0; the service process is "
            f"{worker.ending() if worker else 'not started'}; its log says: "
            f"{_said(app, 'worker')}",
            look_at=str(app.shared.folder / "logs" / f"{app.app_id}.worker.log"),
            fix=f"let the service call WorkflowRuntime().start(), then lab.restart({app.app_id!r})",
        )
    return NotReady(
        f"calls to {app.app_id} do not arrive after {late:.0f} s",
        asked=asked,
        found="its worker is connected, and its sidecar does not find its own workflows",
        look_at="lab.placement_state(), and the logs of placement and of the sidecar",
        fix="lab.down(), then Lab() and lab.up() again",
    )


def _said(app: App, part: Part) -> str:
    life = app.process(part)
    return (life.last_line() if life else "") or "nothing"
