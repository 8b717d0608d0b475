"""Looks at a lab that another kernel runs: the same questions as :class:`labkit.Lab`, no power.

All it knows stands in the run folder: ports, token, files, the journal of the processes. It starts
and ends nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.apps.app import App
from labkit.apps.parts import PARTS, Part, Ports, Shared
from labkit.apps.replicas import chosen
from labkit.errors import DeploymentError, ObservationError
from labkit.infrastructure.controlplane import silence
from labkit.infrastructure.trust import Trust
from labkit.labs import deployments, runs
from labkit.labs.view import View
from labkit.processes import lives
from labkit.processes.lives import Life, Seen
from labkit.reading import plainhttp
from labkit.runfile import AppSpec, RunFile
from labkit.waiting import Reason

if TYPE_CHECKING:
    from dapr.ext.workflow import DaprWorkflowClient


class LabNotRunning(ObservationError):
    """No lab runs the deployment that was asked for."""

    code = "lab-not-running"


class AppNotRunning(ObservationError):
    """The lab does not run the app that was asked for."""

    code = "app-not-running"


class RunFileChanged(DeploymentError):
    """A running lab has an app that the run file does not have any more."""

    code = "run-file-changed"


class Attached(View):
    """A running lab, seen from outside.

    Attributes:
        notice: a line about which lab this is, when there was a choice; else "".

    Args:
        run_file: the deployment.
        run: which of its labs; None for the newest that runs.

    Raises:
        LabNotRunning: no kernel runs it now; says whether one did, and how that ended.
        RunFileChanged: the run file has lost an app that the lab runs.
        DeploymentError: the run file is wrong.
    """

    def __init__(self, run_file: Path, run: runs.RunInfo | None = None) -> None:
        own = [r for r in _labs() if r.facts.get("run_file") == str(run_file)]
        found = [r for r in own if r.has_kernel]
        if not found and run is None:
            raise _not_running(run_file, own)
        chosen = run or found[-1]
        self._folder: Path = chosen.path
        self.facts: Mapping[str, Any] = chosen.facts
        self.notice = _which(chosen, own, found) if run is None else ""
        self._run_file: RunFile = deployments.load(run_file, self.facts.get("manifests"))
        self._http = plainhttp.client()
        self._clients: dict[str, DaprWorkflowClient] = {}
        self._apps: dict[str, App] = {}
        self._seen: tuple[int, ...] = ()
        self._look()

    def close(self) -> None:
        """Close the connections; nothing of the lab is touched."""
        self._http.close()

    def app(self, app_id: str) -> App:
        """Return an app that the lab has started; of several replicas the first that runs.

        Raises:
            AppNotRunning: it has not.
        """
        self._look()
        if app := chosen(app_id, self._apps.values()):
            return app
        raise AppNotRunning(
            f"the lab does not run {app_id}",
            asked=f"the app {app_id}",
            found=f"apps: {', '.join(self._apps) or 'none'}",
            look_at="lab.status()",
            fix=f"lab.up({app_id!r})",
        )

    @property
    def folder(self) -> Path:
        """The folder with the logs, stores and ledgers of this run."""
        return self._folder

    def started_apps(self) -> list[App]:
        """Return the apps that the lab has started, as they are now."""
        self._look()
        return list(self._apps.values())

    def shared_lives(self) -> list[Seen]:
        """Return the newest process of each kind that belongs to no app."""
        return [p for p in lives.newest(self.folder) if " " not in p.name]

    def silence(self) -> Reason | None:
        """Return why the scheduler serves nobody yet; None when it does, or does not run."""
        metrics = str(self.facts.get("scheduler_metrics", ""))
        own = [p for p in self.shared_lives() if p.name == "scheduler" and metrics]
        return silence(own[-1], metrics, self._http) if own else None

    def ended_services(self) -> list[App]:
        """Return the apps whose service was started and does not run any more."""
        return [a for a in self.started_apps() if any(t.part == "worker" for t in a.ended())]

    def _look(self) -> None:
        """Read what the lab has started since the last look, if it has."""
        stamps = runs.stamps(self.folder)
        if stamps == self._seen:
            return
        self._seen = stamps
        self.facts = runs.facts_of(self.folder) or self.facts
        self._lives = lives.lives(self.folder)
        ports = self.facts.get("apps", {})
        # Replicas that the lab has stopped are not in its facts any more.
        self._apps = {name: self._apps.get(name) or self._app(name, ports[name]) for name in ports}
        for name, app in self._apps.items():
            app.took(self._past(name))

    def _past(self, name: str) -> list[tuple[Part, Life]]:
        named = {f"{name} {part}": part for part in PARTS}
        return [(named[life.name], life) for life in self._lives if life.name in named]

    def _app(self, name: str, ports: Mapping[str, int]) -> App:
        shared = Shared(
            folder=self.folder,
            token=str(self.facts["token"]),
            resources=None,
            http=self._http,
            run_file=self._run_file.path,
            loaded_at=float(self.facts.get("loaded_at", 0)),
            trust=Trust.noted(self.folder, self.facts.get("mtls")),
        )
        return App(self._spec(name), shared, Ports.read(ports))

    def _spec(self, name: str) -> AppSpec:
        app_id, _, number = name.partition("#")
        for spec in self._run_file.apps:
            if spec.app_id == app_id:
                return replace(spec, replica=int(number) if number else None)
        names = ", ".join(a.app_id for a in self._run_file.apps)
        raise RunFileChanged(
            f"the running lab is older than its run file: {app_id} is not in it any more",
            asked=f"the apps of the running lab {self.folder.name}",
            found=f"{self._run_file.path.name} has {names}",
            look_at=str(self._run_file.path),
            fix="run the cell with Lab(run_file) and the scenario again",
        )


def _labs() -> list[runs.RunInfo]:
    return [r for r in runs.all_runs() if not r.is_private]


def _named(run: runs.RunInfo) -> str:
    notebook = Path(str(run.facts.get("notebook") or "")).name
    return f"{run.id} of {notebook or f'kernel {run.kernel_pid}'}"


def _which(chosen: runs.RunInfo, own: list[runs.RunInfo], running: list[runs.RunInfo]) -> str:
    """Say which lab is looked at, when another of the same file runs or a newer one has ended."""
    if own[-1].id != chosen.id:
        return f"this is the lab {_named(chosen)}; a newer one, {_named(own[-1])}, has ended"
    if len(running) > 1:
        others = ", ".join(_named(r) for r in running[:-1])
        return f"this is the newest lab, {_named(chosen)}; of the same file there runs {others}"
    return ""


def _not_running(run_file: Path, own: list[runs.RunInfo]) -> LabNotRunning:
    others = [r for r in _labs() if r.has_kernel]
    found = "none was started" if not own else f"the last one, {_named(own[-1])}, has ended"
    if others:
        found += f"; of other files there runs {', '.join(_named(r) for r in others)}"
    return LabNotRunning(
        "the lab of this exercise is not running",
        asked=f"a running lab of {run_file}",
        found=found,
        look_at="./lab ps",
        fix="open its notebook, run the cell with Lab(run_file), then the scenario",
    )
