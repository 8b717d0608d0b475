"""When is a lab ready: asked of the running system, never assumed.

Ready means: placement and scheduler healthy, and the first scheduler of a lab serves its sidecars
(one that follows on another may have to wait for its lease, which ``up()`` says); each sidecar
healthy; each service alive with its worker connected; each sidecar finds the actors behind its
workflows; and each answers a question about the actors of each other app, so that calls arrive. A
sidecar that never will is started again (see :mod:`labkit.apps.routing`). A service that has ended
is never ready, whatever its exit code.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

import psutil

from labkit.apps.app import App
from labkit.apps.ownapp import MOST_STARTS, OwnApp
from labkit.apps.parts import Part
from labkit.apps.routing import KIND, SPACE, Route, closed
from labkit.apps.sidecar import SidecarSilent
from labkit.errors import StartError
from labkit.history import finds_workflows
from labkit.infrastructure.controlplane import ControlPlane
from labkit.processes import lives
from labkit.processes.movement import Movement
from labkit.processes.supervisor import Process, stop
from labkit.runfile import app_id_of
from labkit.waiting import Reason, busy, patience, pause

OPTIONAL_WORKER_SECONDS = 3.0
"""An app may have no workflows: a web app (``appPort``), or one without an actor state store, which
workflows need. Wait this long for its worker."""
SCHEDULER_SECONDS = 5.0
"""Wait so long for the first scheduler to take a sidecar. At a load of 8 it was seen to be a second
behind the workers; after this, up() says that it lags."""
CERTIFICATE_SECONDS = 1.0
"""A sidecar has its certificate 0.01 s after it has asked for it (measured on 1.18.1)."""
ROUTE_SECONDS, SILENT_SECONDS = 0.5, 2.0
"""Deadline of a question to a sidecar about the actors of an app, which takes milliseconds; and of
the second one, before somebody is told that the first had no answer."""
BLOCKED_SECONDS, SHUT_SECONDS, MOST_PATIENCE = 2.0, 10.0, 3.0
"""A sidecar that was there before placement does not answer such questions for so long: it never
will. Any other may be in a round of placement, which gives up a silent sidecar after 8 s (default
of ``--disseminate-timeout``, cmd/placement/options/options.go of v1.18.1)."""


STREAM_OPENED, STREAM_CLOSED = "work item stream established", "work item stream closed"
"""What a sidecar logs when a worker comes and goes (pkg/runtime/wfengine of v1.18.1)."""


class AppWithoutWorker(StartError):
    """A sidecar is healthy, but no worker has connected to it."""

    code = "app-without-worker"


class TwoWorkers(StartError):
    """A worker that this lab did not start is connected to a sidecar, beside the app's own."""

    code = "two-workers"


class MachineBusy(StartError):
    """What was started did not get the cores that it needed."""

    code = "machine-busy"


class NoCertificate(StartError):
    """A sidecar of a lab with mTLS has no certificate, and will not get one."""

    code = "no-certificate"


class NotReady(StartError):
    """Something was not ready before the deadline."""

    code = "not-ready"


class Routes:
    """The ways between the sidecars of a lab, and for how long some of them are closed.

    Args:
        apps: all that were started; asked are the sidecars that are healthy.
    """

    def __init__(self, control: ControlPlane, apps: Iterable[OwnApp]) -> None:
        self._control, self._apps = control, list(apps)
        self._since: dict[str, float] = {}
        self._deaf_since: dict[str, float] = {}

    def listen(self, apps: Iterable[App]) -> None:
        """Note which sidecars of these apps have a worker and do not take it."""
        now = time.monotonic()
        deaf = [a.name for a in apps if is_deaf(a)]
        self._deaf_since = {app_id: self._deaf_since.get(app_id, now) for app_id in deaf}

    def closed(self, asked: Sequence[App]) -> list[Route] | None:
        """Return the closed ways from the sidecars of these apps, and from the older ones.

        None when one of these apps gives no answer now: then its ways are not known.
        """
        offers = _offers_of(self._apps)
        if any(a.name not in offers for a in asked):
            return None
        sources = [a for a in self._apps if a in asked or self._is_older(a)]
        found = closed(routes(sources, offers), ROUTE_SECONDS * patience())
        now = time.monotonic()
        self._since = {r.source: self._since.get(r.source, now) for r in found}
        return found

    def start_again(self) -> list[OwnApp]:
        """Start the sidecars again that stay closed; return their apps."""
        gone = [a for a in self._apps if self._is_lost(a)]
        stop([p for a in gone for p in a.alive() if p is a.process("sidecar")])
        for app in gone:
            lives.note(app.shared.folder, "again", name=f"{app.name} sidecar", at=time.time())
            app.start("sidecar")
            self._since.pop(app.name, None)
            self._deaf_since.pop(app.name, None)
        return gone

    def _is_lost(self, app: App) -> bool:
        shut = BLOCKED_SECONDS if self._is_older(app) else SHUT_SECONDS
        now, longer = time.monotonic(), min(patience(), MOST_PATIENCE)
        return any(
            app.name in since and now - since[app.name] >= limit * longer
            for since, limit in ((self._since, shut), (self._deaf_since, SHUT_SECONDS))
        )

    def _is_older(self, app: App) -> bool:
        """Whether the sidecar was there before this placement: so it has lost another one."""
        sidecar, placement = app.process("sidecar"), self._control.processes.get("placement")
        return bool(sidecar and placement and sidecar.started_at < placement.started_at)


def is_deaf(app: App) -> bool:
    """Whether a worker has connected, and the sidecar does not take it.

    When a worker goes, its sidecar halts the actors and waits for each of them without a deadline,
    with a lock that the next worker needs (dapr/dapr v1.18.1, pkg/actors/table/table.go:198,
    pkg/runtime/wfengine/wfengine.go:217). An actor that never halts would leave it deaf. That was
    seen once in some 400 cycles of chaos; that this is the reason was not proved. Its log then
    says that a stream is there, and its metadata that no worker is.
    """
    worker, sidecar = app.process("worker"), app.process("sidecar")
    if not (worker and worker.is_alive and sidecar and sidecar.is_alive):
        return False
    if app.connected_workers() != 0:
        return False
    said = sidecar.output()
    return said.rfind(STREAM_OPENED) > said.rfind(STREAM_CLOSED)


def routes(sources: Iterable[App], offers: Mapping[str, str]) -> list[Route]:
    """Return the ways from sidecars to the apps that offer workflows.

    Sidecars of two namespaces do not know each other, and an app without a worker offers nothing.

    Args:
        offers: the name of each app or replica to the type of its actors, or ""; a source that is
            missing is not asked. Replicas offer one type, and one of them answers for it.
    """
    targets: dict[str, str] = {}
    for name, kind in offers.items():
        targets.setdefault(kind, name)
    return [
        _way(source, target, kind)
        for source in sources
        for kind, target in targets.items()
        if source.name in offers and kind == f"{SPACE}{source.namespace}.{app_id_of(target)}{KIND}"
    ]


def _way(source: App, target: str, kind: str) -> Route:
    if source.sidecar.certified:
        return Route(source.name, target, source.grpc_address, kind, source.shared.token)
    return Route(source.name, target, source.internal_address, kind)


def _offers_of(apps: Iterable[App]) -> dict[str, str]:
    found = {}
    for app in apps:
        sidecar = app.process("sidecar")
        with suppress(SidecarSilent):
            if sidecar is not None and sidecar.is_alive and not app.uncertified():
                found[app.name] = _offered(app)
    return found


def _offered(app: App) -> str:
    """Return the type of the actors of an app that take no calls; "" when it offers none.

    Raises:
        SidecarSilent: its sidecar does not answer.
    """
    actors = (app.metadata().get("actorRuntime") or {}).get("activeActors") or []
    types = (str(a.get("type")) for a in actors)
    return next((t for t in types if t.endswith(f".{app.app_id}{KIND}")), "")


def hindrances(apps: Iterable[App]) -> list[Reason]:
    """Return what keeps workflows of running apps from going on, the most serious first."""
    apps = list(apps)
    refused = [(app, cause) for app in apps if (cause := app.refused())]
    return [
        *blocked(apps),
        *(_deaf(app) for app in apps if is_deaf(app)),
        *(Reason(f"{a.name}: {c.found}", c.look_at, c.fix) for a, c in refused),
    ]


def _deaf(app: App) -> Reason:
    return Reason(
        f"the sidecar of {app.name} does not take its worker: it still waits for what the one"
        " before has left",
        str(app.shared.folder / "logs" / f"{app.name}.sidecar.log"),
        f"lab.up() starts it again; or lab.restart({app.name!r}, 'sidecar')",
    )


def blocked(apps: Iterable[App]) -> list[Reason]:
    """Return which sidecars do not answer questions about the actors of an app, and the fix."""
    apps = list(apps)
    found: dict[str, list[str]] = {}
    silent = closed(routes(apps, _offers_of(apps)), ROUTE_SECONDS * patience())
    # A machine that stands still for a moment is no sidecar that is shut: it is asked once more.
    for route in closed(silent, SILENT_SECONDS * patience()):
        found.setdefault(route.source, []).append(route.target)
    logs = {a.name: a.shared.folder / "logs" / f"{a.name}.sidecar.log" for a in apps}
    return [
        Reason(
            f"the sidecar of {source} finds no actor of {', '.join(targets)}: it lost placement"
            " while a worker came or went, and answers no such question any more",
            str(logs[source]),
            "lab.up() starts it again; if that does not help, Lab(resume=True)",
        )
        for source, targets in found.items()
    ]


def wait(
    control: ControlPlane,
    others: Iterable[Process],
    apps: Sequence[OwnApp],
    within: float,
    around: Iterable[OwnApp] = (),
) -> list[OwnApp]:
    """Return when everything is ready.

    Args:
        around: all apps that were started, these among them.

    Returns:
        The apps whose sidecar was started again, because it would never have found the others, or
        never taken its worker.

    Raises:
        ProcessEnded: a process ended while starting; carries the telling line of its log.
        NoCertificate: a sidecar will never take part in a lab with mTLS.
        AppWithoutWorker, TwoWorkers, NotReady: not ready after ``within`` seconds, or longer on a
            machine that is busy, and nothing moves any more.
        MachineBusy: after 15 times as long the processes still do not get the cores they need.
    """
    watched = [*control.processes.values(), *others]
    began = time.monotonic()
    waiting, repaired, movement = list(apps), list[OwnApp](), Movement()
    ways = Routes(control, [*apps, *(a for a in around if a not in apps)])
    while True:
        asked = time.monotonic()
        if control.starts_again():
            watched = [*control.processes.values(), *others]
        for process in watched:
            process.require_alive("start the lab", "lab.up() starts it again")
        for app in apps:
            _require_processes(app)
        late = time.monotonic() - began
        waiting = [a for a in waiting if not _is_ready(a, late)]
        _require_certificates(waiting, late)
        ready = not waiting and control.is_ready() and not _scheduler_lags(control, apps, late)
        spent = time.monotonic() - asked
        shut = ways.closed(apps) if ready else None
        if shut == []:
            return repaired
        if late > within and late > within * patience():
            pids = _pids([*watched, *_running(waiting or apps)])
            if not movement.goes_on(pids) or late > within * movement.most:
                if movement.is_starved:
                    raise _busy(waiting or apps, late)
                raise _shut(shut, late) if shut else _too_late(control, waiting or list(apps), late)
        ways.listen(waiting if late > OPTIONAL_WORKER_SECONDS else ())
        if again := ways.start_again():
            repaired += again
            waiting = [*apps, *(a for a in again if a not in apps and _has_worker(a))]
        time.sleep(pause(spent))


def _require_certificates(waiting: Iterable[App], late: float) -> None:
    """Say of a sidecar that it will never be ready; one that has a certificate gets it at once."""
    for app in waiting if late > CERTIFICATE_SECONDS * patience() else ():
        if cause := app.uncertified():
            raise NoCertificate(
                f"the sidecar of {app.name} gets no certificate",
                asked=f"start {app.name}, in a lab with mTLS",
                found=cause.found,
                look_at=f"{cause.look_at}, and lab.app({app.name!r}).logs('sidecar')",
                fix=cause.fix,
            )


def _scheduler_lags(control: ControlPlane, apps: Iterable[App], late: float) -> bool:
    """Whether the first scheduler has yet to take the sidecars whose workers are there."""
    soon = late < SCHEDULER_SECONDS * patience()
    return soon and any(_offers(a)[0] for a in apps) and control.is_starting()


def _running(apps: Iterable[OwnApp]) -> list[Process]:
    return [p for app in apps for p in app.running_or_ended() if p.is_alive]


def _pids(processes: Iterable[Process]) -> list[int]:
    """Return the pids of processes, and of what they have started."""
    found = [p.pid for p in processes]
    for pid in list(found):
        with suppress(psutil.Error):
            found += [child.pid for child in psutil.Process(pid).children(recursive=True)]
    return found


def _busy(apps: Sequence[App], late: float) -> MachineBusy:
    names = ", ".join(a.name for a in apps)
    return MachineBusy(
        f"this machine is too busy to start {names}",
        asked=f"start {names} within {late:.0f} s",
        found=f"{busy() or 'other programs have the cores'}; what was started waits for one",
        look_at="./lab ps for your own labs; top for everything",
        fix="end labs and programs that are not needed (./lab stop), then lab.up(), which goes on "
        "from here",
    )


def _has_worker(app: App) -> bool:
    worker = app.process("worker")
    return worker is not None and worker.is_alive


def _is_ready(app: App, late: float) -> bool:
    if not app.has_service:
        return app.is_healthy()
    workers, offered = _offers(app)
    if workers > 1 and (strangers := _strangers(app)):
        raise _two_workers(app, workers, strangers)
    if workers and offered:
        store = app.lacks_actor_store() or finds_workflows(app.grpc_address, app.shared.token)
        return store and app.is_healthy()
    optional = late > OPTIONAL_WORKER_SECONDS * patience()
    may_lack_it = bool(app.spec.app_port) or not app.spec.needs_worker
    return optional and (may_lack_it or app.lacks_actor_store()) and app.is_healthy()


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
            if app.ports.grpc in ports and not own:
                found.append(f"{process.pid} {' '.join(process.cmdline())[:100]}")
    return found


def _require_processes(app: OwnApp) -> None:
    for process in app.running_or_ended():
        if process.is_alive:
            continue
        if process is app.process("sidecar"):
            if app.sidecar_starts_again():
                continue
            raise _ended(app, process)
        # It may have come too early, or have left a worker that runs on its own.
        if not app.starts_again() and not process.left_something():
            raise _ended(app, process, ", so no worker is connected")


def _ended(app: OwnApp, process: Process, so: str = "") -> StartError:
    part: Part = "sidecar" if process is app.process("sidecar") else "worker"
    if app.gave_up(part):
        own = "" if part == "sidecar" else ", or correct what its log says"
        fix = f"end labs and programs that are not needed (./lab stop){own}, then"
        fix += f" lab.up({app.name!r})"
        return process.ended(f"start {app.name}", fix, f", {MOST_STARTS} times", busy())
    cause = app.cause_of(process)
    why = cause.found if cause else ""
    return process.ended(f"start {app.name}", app.fix_of(process), so, why)


def _two_workers(app: App, workers: int, strangers: Sequence[str]) -> TwoWorkers:
    return TwoWorkers(
        f"{workers} workers are connected to the sidecar of {app.name}",
        asked=f"one worker for {app.name}",
        found=f"connectedWorkers {workers}, so work goes to them in turn; not started by this lab: "
        + "; ".join(strangers),
        look_at=f'lab.app({app.name!r}).metadata()["workflows"]',
        fix="end the process that does not belong here, then start again",
    )


def _too_late(control: ControlPlane, waiting: Sequence[App], late: float) -> StartError:
    app = waiting[0]
    asked = f"start {', '.join(a.name for a in waiting)} within {late:.0f} s"
    if not app.is_healthy():
        sidecar = app.process("sidecar")
        cause = app.cause_of(sidecar) if sidecar else None
        why = f"{cause.found}; " if cause else ""
        slow = f"fix what the log names; on a slow machine: lab.up({app.name!r}, within=60)"
        return NotReady(
            f"{app.name} is not ready after {late:.0f} s",
            asked=asked,
            found=f"{why}its sidecar does not answer; control plane ready: {control.is_ready()};"
            f" its log says: {_said(app, 'sidecar')}",
            look_at=str(app.shared.folder / "logs" / f"{app.name}.sidecar.log"),
            fix=cause.fix if cause else slow,
        )
    if app.has_service and app.connected_workers() == 0:
        worker = app.process("worker")
        return AppWithoutWorker(
            f"{app.name} has a healthy sidecar, but no worker is connected to it",
            asked=asked,
            found=f"connected workers 0; the service process is "
            f"{worker.ending() if worker else 'not started'}; its log says: "
            f"{_said(app, 'worker')}",
            look_at=str(app.shared.folder / "logs" / f"{app.name}.worker.log"),
            fix=f"let the service call WorkflowRuntime().start(), then lab.restart({app.name!r})",
        )
    return NotReady(
        f"calls to {app.name} do not arrive after {late:.0f} s",
        asked=asked,
        found="its worker is connected, and its sidecar does not find its own workflows",
        look_at="lab.placement_state(), and the logs of placement and of the sidecar",
        fix="lab.down(), then Lab() and lab.up() again",
    )


def _shut(routes: Sequence[Route], late: float) -> NotReady:
    source = routes[0].source
    return NotReady(
        f"the sidecar of {source} finds no actor of {routes[0].target} after {late:.0f} s",
        asked=f"an actor of {', '.join(r.target for r in routes if r.source == source)}",
        found="no answer; the sidecar is healthy, and so is placement",
        look_at=f"lab.app({source!r}).logs('sidecar'), and lab.placement_state()",
        fix=f"lab.restart({source!r}, 'sidecar'); if that does not help, Lab(resume=True)",
    )


def _said(app: App, part: Part) -> str:
    life = app.process(part)
    return (life.last_line() if life else "") or "nothing"
