"""``Lab``: the learner's handle over one running set of apps.

Learners use the real SDK for what Dapr does, and this handle for infrastructure and observation
only: start, kill, look. What a run file says is started as ``dapr run -f`` would start it, with a
token, a control plane and a name resolver of the lab's own; docs/loopback.md lists the differences.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from labkit import manifests, paths, prometheus, runtime, tracing
from labkit.apps import podend
from labkit.apps.launch import Surroundings
from labkit.apps.ownapp import OwnApp
from labkit.apps.parts import Part, Ports, Shared
from labkit.apps.replicas import chosen as chosen_replica
from labkit.apps.replicas import require as require_replicas
from labkit.apps.replicas import spread, without_places
from labkit.errors import DeploymentError, ObservationError, StartError
from labkit.host import foreign, limits, sdk, shellenv
from labkit.infrastructure import components, trust
from labkit.infrastructure.components import chosen
from labkit.infrastructure.controlplane import HOST, ControlPlane
from labkit.infrastructure.surroundings import MOST_APPS, Infrastructure
from labkit.infrastructure.trust import Trust
from labkit.labs import deployments, readiness, runs, workflowrun
from labkit.labs.view import View
from labkit.labs.workflowrun import Run
from labkit.notebook import cellerrors
from labkit.notebook.texts import Text
from labkit.processes import lives, ports
from labkit.processes.supervisor import Process, Supervisor, stop
from labkit.prometheus import Prometheus, standin
from labkit.reading import plainhttp
from labkit.runfile import AppSpec, RunFile, named
from labkit.tracing.zipkin import Zipkin
from labkit.waiting import EXPLAIN, Reason, patience, wait_until

if TYPE_CHECKING:
    from dapr.ext.workflow import DaprWorkflowClient


READY_SECONDS = 30.0
ZIPKIN_SECONDS = 120.0
"""It is ready after 4 s on an idle machine, and after 33 to 94 s at a load of 16 on two cores."""


class UnknownApp(DeploymentError):
    """The run file has no such app."""

    code = "unknown-app"


class AppNotStarted(ObservationError):
    """A question about an app that this lab has not started."""

    code = "app-not-started"


class LabClosed(StartError):
    """The lab was ended with ``down``."""

    code = "lab-closed"


class NothingToResume(StartError):
    """No earlier run can be taken over."""

    code = "nothing-to-resume"


_in_this_kernel: Lab | None = None


class NoPod(ObservationError):
    """The lab was not made from manifests, so it has no pods."""

    code = "no-pod"


class Lab(View):
    """A control plane and the apps of one run file.

    Args:
        path: a run file (``dapr.yaml``) or its folder, a folder of Kubernetes manifests, or what
            was read of one; relative paths start at the repository.
        components: name of a set in ``components/`` or a folder; replaces the resources that
            the run file names.
        resume: take over the newest ended run of this run file, with its stores and reminders.
        private: a lab beside the one of this kernel, for a check: it replaces no other lab, and
            neither another kernel nor ``resume`` finds it. Its folder is kept until the next
            private lab of this run file.
        env: environment variables for every service; they win over those of the run file.
        own_env: environment variables for one service, by app ID or by ``APP_ID#N``; they win
            over ``env``.
        replicas: how many sidecars, each with its service, an app ID gets. They are called
            ``APP_ID#1``, ``APP_ID#2`` and so on, here and in all that names processes; the app ID
            alone means all of them, and for a question the first that runs.

    Raises:
        DeploymentError: the run file is wrong.
        WrongReplicas: ``replicas`` names an app that the run file does not have, or no number.
        NothingToResume: ``resume`` was asked, and there is no run to take over.
        RuntimeMissing, RuntimeDamaged: the Dapr programs are not here, or not what was put here.
        LimitTooLow: this user may not open enough files, or run enough processes.
    """

    def __init__(
        self,
        path: str | Path | RunFile = "services/dapr.yaml",
        components: str | Path | None = None,
        *,
        resume: bool = False,
        private: bool = False,
        env: Mapping[str, str] | None = None,
        own_env: Mapping[str, Mapping[str, str]] | None = None,
        replicas: Mapping[str, int] | None = None,
    ) -> None:
        read = path if isinstance(path, RunFile) else deployments.load(paths.repo() / path)
        self.run_file: RunFile = _with_env(read, env or {}, own_env or {})
        require_replicas(self.run_file.apps, replicas or {})
        self._replicas, self._own_env = dict(replicas or {}), own_env or {}
        if private:
            self.run_file = _with_free_ports(self.run_file)
        self._resources = None if components is None else (chosen(components),)
        self._private = private
        programs = runtime.binaries()
        limits.require()
        sdk.warn()
        foreign.warn()
        if not private:
            _end_lab_of_this_kernel()
        self._bypass_proxies()
        cellerrors.register()
        self._folder = self._open_folder(resume)
        self._apps: dict[str, OwnApp] = {}
        self._scaled_down: dict[str, OwnApp] = {}
        self._clients: dict[str, DaprWorkflowClient] = {}
        self._closed = False
        if given := deployments.facts(self.run_file):
            self._folder.note(manifests=given)
        self._http = plainhttp.client()
        try:
            self._ports = ports.reserve(prefer=self._folder.facts.get("first_port"))
            self._supervisor = Supervisor(
                self._folder.run_id,
                [self._ports.guard.fileno(), self._folder.lock],
                self._folder.path,
                runtime.fixes(programs),
                [self._ports.guard.fileno()],
            )
            self._build_surroundings(programs)
        except BaseException:
            self._abandon()
            raise
        if not private:
            EXPLAIN[:] = [self._reasons]
            _remember_lab_of_this_kernel(self)

    @classmethod
    def from_manifests(
        cls,
        folder: str | Path,
        *,
        images: Mapping[str, str | Path] | None = None,
        namespace: str = manifests.DEFAULT,
        **more: Any,
    ) -> Lab:
        """Return a lab of the apps that Kubernetes manifests deploy; each pod becomes processes.

        What such a lab does not show stands in :attr:`not_shown`.

        Args:
            folder: of manifests, searched to the bottom, or one file; starts at the repository.
            images: the folder of a service by its image. Without it the last part of the name of
                an image is the name of the folder, beside ``folder`` or in ``services/``.
            namespace: where a document goes that names none, as ``kubectl -n`` says.
            more: further arguments of :class:`Lab`.

        Raises:
            WrongManifest: it cannot be applied, or not be run here; names file and line.
        """
        return cls(manifests.load(paths.repo() / folder, images, namespace), **more)

    def __enter__(self) -> Lab:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.down()

    def __repr__(self) -> str:
        return f"Lab({', '.join(self._apps) or 'nothing started'})"

    # --- start and stop ----------------------------------------------------------------------

    def up(self, *app_ids: str, within: float = READY_SECONDS, announce: bool = True) -> None:
        """Start apps, and whatever has ended meanwhile; return when calls to them arrive.

        Args:
            app_ids: app IDs of the run file, or names of replicas; none means all.
            within: deadline in seconds.
            announce: print a line per app.

        Raises:
            UnknownApp: the run file has no such app.
            WrongComponent: a component file cannot be read.
            StartError: a process ended, or was not ready in time; carries the telling log line.
        """
        self._require_open()
        wanted = [s for a in app_ids for s in self._named(a)] or self._specs()
        components.require_readable(self._resource_folders())
        self._control.start()
        self._infrastructure.start(self._resource_folders(), self._configurations())
        asked = [self._handle(spec) for spec in wanted]
        for app in asked:
            app.start()
        self._note()
        try:
            others = self._infrastructure.processes()
            again = readiness.wait(self._control, others, asked, within, self._apps.values())
            wait_until(self._infrastructure.is_listening, within, "the mail server listens")
        finally:
            self._note()  # a service that came too early has another pid now
        if announce:
            self._announce(asked, again)

    def _announce(self, asked: Sequence[OwnApp], again: Sequence[OwnApp]) -> None:
        for app in again:
            print(f"{app.name} sidecar: started again; calls would never have arrived there")
        silence = self.silence()
        for app in asked:
            late = ", without the scheduler" if silence else ""
            late += "" if app.spec.needs_worker or app.connected_workers() else ", without a worker"
            print(f"{app.name}: ready{late}{_old_code(app)}")
            if cause := app.refused():
                print(f"{app.name}: {cause.found}; {cause.fix}")
        if silence:
            print(silence.found)

    def down(self) -> None:
        """End everything; the logs stay in ``lab.folder``. Can be called twice."""
        if self._closed:
            return
        self._closed = True
        if self._reasons in EXPLAIN:
            EXPLAIN.remove(self._reasons)
        lives.note(self.folder, "down", at=time.time())
        with ExitStack() as rest:  # all of it, also when one process stays
            rest.callback(self._folder.close)
            rest.callback(self._ports.close)
            rest.callback(self._http.close)
            rest.callback(self._supervisor.close)
            stop([p for app in self._apps.values() for p in app.alive()])

    def kill(self, name: str, part: Part | None = None, *, announce: bool = True) -> None:
        """End something at once, as a crash would (SIGKILL).

        Args:
            name: an app ID, a replica, or "placement", "scheduler", "sentry", "mail" or "redis".
            part: "worker" or "sidecar" of an app; None for both.
            announce: print a line per process.
        """
        victims = self._shared_process(name) or self._app_processes(name, part)
        for process in victims:
            process.kill()
            if announce:
                print(f"{process.name}: killed")

    def restart(
        self,
        app_id: str,
        part: Part | None = None,
        within: float = READY_SECONDS,
        *,
        announce: bool = True,
    ) -> None:
        """Stop an app in good order (SIGTERM) and start it again; rereads its code and files."""
        for process in self._app_processes(app_id, part):
            stop([process])
        self.up(app_id, within=within, announce=announce)

    def prometheus(
        self, rules: str | Path | None = None, *, or_recorded: bool = False
    ) -> Prometheus:
        """Start Prometheus beside the apps; it asks every sidecar for its metrics, each second.

        Args:
            rules: a file with rules of alerts, relative to the folder of the run file; read again
                by each call that names it.
            or_recorded: where Prometheus is missing, say so and answer from the recorded run of
                lesson 15; each answer carries a mark.

        Raises:
            NoPrometheus: it is not on this machine; says how to get it.
            WrongRules: the rules cannot be used; names the line.
        """
        self._require_open()
        file = None if rules is None else self.run_file.path.parent / rules
        if or_recorded and (recorded := standin.instead(file)):
            return recorded
        if file is not None:
            prometheus.check_rules(file)
        (self.folder / prometheus.FOLDER).mkdir(mode=0o700, exist_ok=True)
        self._note_metrics()
        asked = time.time()
        process = self._infrastructure.start_prometheus(file)
        handle = prometheus.of_folder(self.folder)
        assert handle is not None, "its address is written before it is started"

        def ready() -> bool:
            return handle.read_its_files_at() >= asked and handle.is_ready()

        within = READY_SECONDS * patience()
        wait_until(lambda: ready() or not process.is_alive, within, "Prometheus is ready")
        process.require_alive("Prometheus beside the lab", "correct what its log says")
        self._note()
        return handle

    def zipkin(self) -> Zipkin:
        """Start Zipkin beside the apps; it gets the spans that they have sent, and will send.

        Raises:
            NoZipkin: it, or the Java that runs it, is not on this machine; says how to get it.
            NotTraced: no Configuration of the run file sends spans to the lab.
        """
        self._require_open()
        if not (self.folder / tracing.FILE).exists():
            raise workflowrun.not_traced("Zipkin beside this lab")
        process, port = self._infrastructure.start_zipkin()
        handle = Zipkin(f"http://{HOST}:{port}")
        within = ZIPKIN_SECONDS * patience()
        wait_until(lambda: handle.is_ready() or not process.is_alive, within, "Zipkin is ready")
        process.require_alive(
            "Zipkin beside the lab", "correct what its log says; it needs Java 17"
        )
        self._note()
        return handle

    def stop(self, app_id: str, part: Part | None = None, *, announce: bool = True) -> None:
        """Stop an app, or a part of it, in good order (SIGTERM)."""
        for process in self._app_processes(app_id, part):
            stop([process])
            if announce:
                print(f"{process.name}: stopped")

    def scale(
        self, app_id: str, count: int, within: float = READY_SECONDS, *, announce: bool = True
    ) -> None:
        """Let an app have ``count`` replicas: start new ones, or stop the last ones (SIGTERM).

        Args:
            app_id: one of those that ``Lab(replicas=…)`` names, because their replicas have names.
            count: 1 or more.

        Raises:
            WrongReplicas: another app ID, or another number.
        """
        self._require_open()
        require_replicas(
            [a for a in self.run_file.apps if a.app_id in self._replicas], {app_id: count}
        )
        self._replicas[app_id] = count
        kept = {spec.name for spec in self._named(app_id)}
        for app in [a for a in self._apps.values() if a.app_id == app_id and a.name not in kept]:
            self._scaled_down[app.name] = self._apps.pop(app.name)
            self._clients.pop(app.name, None)
            for process in app.alive():
                stop([process])
                if announce:
                    print(f"{process.name}: stopped")
        self.up(app_id, within=within, announce=announce)

    def delete_pod(self, app_id: str, *, announce: bool = True) -> list[podend.Ending]:
        """End an app as Kubernetes ends its pod: hook, SIGTERM, grace period, SIGKILL.

        Nothing starts it again but ``lab.up(app_id)``.

        Args:
            announce: print a line per process.

        Raises:
            NoPod: the lab was not made from manifests.
        """
        app = self.app(app_id)
        if not isinstance(app.spec, manifests.Pod):
            raise NoPod(
                "a run file has no pods",
                asked=f"lab.delete_pod({app_id!r})",
                found=f"this lab was made from {self.run_file.path}",
                look_at="terminationGracePeriodSeconds stands in a manifest",
                fix=f"Lab.from_manifests(FOLDER), or lab.stop({app_id!r})",
            )
        endings = podend.end(app)
        for one in endings if announce else ():
            print(f"{app_id} {one}")
        return endings

    @contextmanager
    def frozen(self, name: str, part: Part | None = None) -> Iterator[None]:
        """Within the block something is there and does nothing, as a program that hangs (SIGSTOP).

        Args:
            name: an app ID, a replica, or "placement", "scheduler", "sentry", "mail" or "redis".
            part: "worker" or "sidecar" of an app; None for both.
        """
        held = self._shared_process(name) or self._app_processes(name, part)
        for process in held:
            process.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for process in held:
                process.signal(signal.SIGCONT)

    # --- look --------------------------------------------------------------------------------

    def callers(self, name: Literal["mail", "redis"]) -> list[str]:
        """Return the apps whose service holds a connection to the mail catcher or to Redis."""
        port = self._infrastructure.ports[name]
        return [a.name for a in self._apps.values() if port in a.remote_ports()]

    @property
    def folder(self) -> Path:
        """The folder with the logs, stores and ledgers of this run."""
        return self._folder.path

    @property
    def not_shown(self) -> list[str]:
        """What manifests say and this lab does not do, one line each; none for a run file."""
        return list(getattr(self.run_file, "not_shown", ()))

    @property
    def lifeline_pid(self) -> int:
        """The process that ends all others when this kernel is gone."""
        return self._supervisor.lifeline_pid

    def app(self, app_id: str) -> OwnApp:
        """Return the handle of a started app; of several replicas the first that runs.

        Args:
            app_id: an app ID, or the name of one replica.

        Raises:
            AppNotStarted: it was not started, or the run file has no such app.
        """
        self._named(app_id)
        app = chosen_replica(app_id, self._apps.values())
        if app is None:
            raise AppNotStarted(
                f"{app_id} was not started in this lab",
                asked=f"lab.app({app_id!r})",
                found=f"started: {', '.join(self._apps) or 'nothing'}",
                look_at="lab.status()",
                fix=f"lab.up({app_id!r})",
            )
        return app

    def client(self, app_id: str) -> DaprWorkflowClient:
        """Return the SDK's own workflow client, connected to the sidecar of an app.

        Its calls have a deadline, and fail at once when the sidecar or the worker has ended; see
        :mod:`labkit.apps.client`.

        Raises:
            AppNotStarted: the app was not started.
            LabClosed: the lab was ended.
        """
        self._require_open()
        return super().client(app_id)

    def run(self, instance_id: str) -> Run:
        """Return the handle of a workflow instance, wherever it is hosted.

        Raises:
            InstanceUnknown: no running app knows it.
        """
        self._require_open()
        return super().run(instance_id)

    def placement_state(self) -> dict[str, Any]:
        """Return placement's table: who can be called, per namespace."""
        return self._control.placement_state()

    def scheduler_metrics(self) -> str:
        """Return the scheduler's metrics in Prometheus' text format; "" when it does not answer.

        ``dapr_scheduler_concurrency_pending`` counts the work that waits for a place of a limit
        over all replicas of an app. A limit of one sidecar has no such metric (1.18.1).
        """
        return Text(self._control.metrics_of_scheduler())

    def started_apps(self) -> Iterable[OwnApp]:
        """Return the apps that were started, in the order of their start."""
        return list(self._apps.values())

    def shared_lives(self) -> list[Process]:
        """Return the newest process of each kind that belongs to no app."""
        return [*self._control.processes.values(), *self._infrastructure.processes()]

    def silence(self) -> Reason | None:
        """Return why the scheduler serves nobody yet; None when it does, or does not run."""
        return self._control.silence()

    def processes(self) -> list[Process]:
        """Return the newest process of everything this lab has started."""
        apps = [p for a in self._apps.values() for p in a.running_or_ended()]
        return [*self.shared_lives(), *apps]

    def status(self) -> str:
        """Return one line per process: running, or how it ended."""
        rows = [f"{p.name:<40} {p.ending()}{_said(p)}" for p in self.processes()]
        return Text("\n".join(rows + self._supervisor.incidents) or "nothing started")

    # --- inside ------------------------------------------------------------------------------

    def _reasons(self) -> list[Reason]:
        """Return what has ended, and which workflows have failed: why a wait may be in vain."""
        found = [Reason(str(t), str(t.log), t.fix) for t in self.troubles()] or self.obstacles()
        for app_id in self._clients:
            found += workflowrun.failures(self, app_id)
        return found

    def _abandon(self) -> None:
        """Give back what a lab that could not be made has taken: else its run counts as alive."""
        self._closed = True
        for name in ("_supervisor", "_ports", "_http", "_folder"):
            if hasattr(self, name):
                getattr(self, name).close()

    def _open_folder(self, resume: bool) -> runs.RunFolder:
        notebook = os.environ.get("JPY_SESSION_NAME")
        if not resume:
            return runs.create(self.run_file.path, notebook, private=self._private)
        taken = runs.resumable(self.run_file.path, notebook)
        if taken is None:
            raise NothingToResume(
                "there is no earlier run to take over",
                asked=f"Lab(resume=True) for {self.run_file.path}",
                found=f"{len(runs.all_runs())} runs in {paths.runs()}, none of them ended",
                look_at="./lab ps",
                fix="end the run that holds it (./lab stop), or start over with Lab()",
            )
        return taken

    def _build_surroundings(self, programs: Any) -> None:
        env = _base_env()
        folder = self._folder.path
        certificates = self._certificates(programs)
        self._control = ControlPlane(
            self._supervisor,
            self._ports,
            {n: getattr(programs, n) for n in ("placement", "scheduler", "sentry")},
            folder,
            env,
            self._http,
            certificates,
        )
        self._internal_ports = self._choose_internal_ports()
        self._infrastructure = Infrastructure(
            self._supervisor, self._ports, folder, env, self._internal_ports
        )
        shared = Shared(
            folder=folder,
            token=self._folder.facts["token"],
            resources=self._resources,
            http=self._http,
            run_file=self.run_file.path,
            loaded_at=self._folder.facts["loaded_at"],
            trust=certificates,
        )
        self._around = Surroundings(
            shared,
            daprd=programs.daprd,
            env={**env, **self._infrastructure.env()},
            sidecar_flags=(
                *("--placement-host-address", self._control.placement_address),
                *("--scheduler-host-address", self._control.scheduler_address),
            ),
            config=self._infrastructure.config,
            supervisor=self._supervisor,
        )

    def _certificates(self, programs: Any) -> Trust | None:
        """Return the certificates of the lab, if the Configuration of an app asks for them."""
        asking = [s.config for s in self.run_file.apps if s.config and trust.is_wanted(s.config)]
        if not asking:
            return None
        runtime.require_sentry(programs)
        address = f"{HOST}:{self._ports.take()}"
        return Trust.of_run(self._folder.path, asking[0], address)

    def _choose_internal_ports(self) -> dict[str, int]:
        """Return the port of each sidecar for the others; none for a run file of many apps.

        They are chosen before the first sidecar starts, which reads where all others will be.
        """
        apps = self.run_file.apps if len(self.run_file.apps) <= MOST_APPS else ()
        return {a.app_id: a.dapr_internal_grpc_port or self._ports.take() for a in apps}

    def _resource_folders(self) -> Sequence[Path]:
        own = [r for app in self.run_file.apps for r in app.resources]
        return self._resources or list(dict.fromkeys(own))

    def _configurations(self) -> list[Path]:
        """Return the Configurations that the run file names, each once."""
        return list(dict.fromkeys(a.config for a in self.run_file.apps if a.config))

    def _specs(self) -> list[AppSpec]:
        """Return what this lab starts: the apps of the run file, and the replicas of some."""
        counts, own = self._replicas, self._own_env
        return [s for a in self.run_file.apps for s in spread(a, counts.get(a.app_id), own)]

    def _named(self, name: str) -> list[AppSpec]:
        specs = self._specs()
        if found := named(name, specs):
            return found
        raise UnknownApp(
            f"the run file has no app {name!r}",
            asked=f"app ID {name!r}",
            found=f"apps: {', '.join(s.name for s in specs)}",
            look_at=str(self.run_file.path),
            fix="use one of these names, or add the app to the run file; replicas are named by"
            " Lab(run_file, replicas={APP_ID: NUMBER})",
        )

    def _handle(self, spec: AppSpec) -> OwnApp:
        """Return the app or replica of that name, made when it is not there yet."""
        if spec.name in self._scaled_down:
            self._apps[spec.name] = self._scaled_down.pop(spec.name)
        if spec.name not in self._apps:
            first = spec.replica in (None, 1)  # its port is the one that the others were told
            internal = self._internal_ports.get(spec.app_id, 0) if first else 0
            ports = Ports.choose(spec, self._ports, internal)
            self._apps[spec.name] = OwnApp(spec, self._around, ports)
        return self._apps[spec.name]

    def _shared_process(self, name: str) -> list[Process]:
        return [p for p in self.shared_lives() if p.name == name and p.is_alive]

    def _app_processes(self, name: str, part: Part | None) -> list[Process]:
        self.app(name)  # says what is wrong with the name
        found: list[Process] = []
        for app in [a for a in self._apps.values() if name in (a.name, a.app_id)]:
            asked = app.process(part) if part else None
            found += [p for p in app.alive() if part is None or p is asked]
        return found

    def _note_metrics(self) -> None:
        """Say to Prometheus, where it is, whose metrics there are."""
        folder = self.folder / prometheus.FOLDER
        if folder.is_dir():
            ports = {a.name: a.ports.metrics for a in self._apps.values()}
            prometheus.note_targets(folder, {**ports, **self._control.metrics_ports})

    def _note(self) -> None:
        self._note_metrics()
        self._folder.note(
            first_port=self._ports.first,
            lifeline_pid=self._supervisor.lifeline_pid,
            scheduler_metrics=self._control.scheduler_metrics,
            mtls=self._around.shared.trust.facts if self._around.shared.trust else None,
            apps={a.name: a.ports.facts() for a in self._apps.values()},
            processes={p.name: p.pid for p in self.processes()},
        )

    def _require_open(self) -> None:
        if self._closed:
            raise LabClosed(
                "this lab was ended",
                asked="use a lab that has ended",
                found="lab.down() was called, or a newer Lab() of this notebook took its place",
                look_at=str(self.folder),
                fix="make a new one with Lab(), or take this run over with Lab(resume=True)",
            )

    @staticmethod
    def _bypass_proxies() -> None:
        """Let the SDK's channels in this kernel reach the loopback without a proxy."""
        for name in ("no_proxy", "NO_PROXY"):
            hosts = [h for h in os.environ.get(name, "").split(",") if h]
            os.environ[name] = ",".join(dict.fromkeys([*hosts, HOST, "localhost"]))


def _base_env() -> dict[str, str]:
    env = shellenv.without_another_dapr(os.environ)
    # A kernel of a notebook under test carries marks that change how its children print.
    for name in ("PYTEST_CURRENT_TEST", "JPY_SESSION_NAME", "JPY_PARENT_PID"):
        env.pop(name, None)
    return env


def _with_env(
    run_file: RunFile, env: Mapping[str, str], own: Mapping[str, Mapping[str, str]]
) -> RunFile:
    apps = tuple(
        replace(spec, env={**spec.env, **env, **own.get(spec.app_id, {})}) for spec in run_file.apps
    )
    return replace(run_file, apps=apps)


def _with_free_ports(run_file: RunFile) -> RunFile:
    """Ports and sockets that the run file names are in use by the lab beside which this one is."""
    return replace(run_file, apps=tuple(without_places(spec) for spec in run_file.apps))


def _said(process: Process) -> str:
    last = "" if process.is_alive else process.last_line()
    return f'; its log says: "{last}"' if last else ""


def _old_code(app: OwnApp) -> str:
    """Say which files are newer than what runs; "" when there are none."""
    files = app.newer_files()
    if not files:
        return ""
    fix = f"lab.restart({app.name!r})"
    if any(Path(f).parts[0] == app.shared.run_file.name for f in files):
        fix = "a new Lab(...) of the run file, with lab.up(),"
    return f", but not with what was saved since it started: {', '.join(files)}; {fix} loads it"


def _in_notebook() -> bool:
    with suppress(ImportError):
        from IPython import get_ipython

        return get_ipython() is not None
    return False


def _end_lab_of_this_kernel() -> None:
    """In a notebook there is one lab: running its first cell again ends the earlier one."""
    global _in_this_kernel
    if _in_this_kernel is not None and _in_notebook():
        earlier, _in_this_kernel = _in_this_kernel, None
        earlier.down()


def _remember_lab_of_this_kernel(new: Lab) -> None:
    global _in_this_kernel
    if _in_notebook():
        _in_this_kernel = new
