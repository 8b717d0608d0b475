"""Looks at a lab that another kernel runs: the same questions as :class:`labkit.Lab`, no power.

All it knows stands in the run folder: ports, token, files. It starts and ends nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psutil

from labkit import runs, workflowrun
from labkit.apps import App, client_of, ledger_rows
from labkit.errors import ObservationError
from labkit.launch import Surroundings
from labkit.mailcatcher import Inbox, inbox
from labkit.runfile import RunFile, load
from labkit.workflowrun import Run

if TYPE_CHECKING:
    from dapr.ext.workflow import DaprWorkflowClient


class LabNotRunning(ObservationError):
    """No lab runs the deployment that was asked for."""

    code = "lab-not-running"


class AppNotRunning(ObservationError):
    """The lab does not run the app that was asked for."""

    code = "app-not-running"


class Attached:
    """A running lab, seen from outside.

    Args:
        run_file: the deployment.

    Raises:
        LabNotRunning: no kernel runs it now.
    """

    def __init__(self, run_file: Path) -> None:
        found = [r for r in runs.all_runs() if r.alive and r.facts.get("run_file") == str(run_file)]
        if not found:
            raise LabNotRunning(
                "the lab of this exercise is not running",
                asked=f"a running lab of {run_file}",
                found=f"{len([r for r in runs.all_runs() if r.alive])} labs, none of this file",
                look_at="./lab ps",
                fix="run the cell that makes the lab, and lab.up()",
            )
        self.folder: Path = found[-1].path
        self.facts: Mapping[str, Any] = found[-1].facts
        self._run_file: RunFile = load(run_file)
        self._http = httpx.Client(trust_env=False, timeout=2.0)
        self._clients: dict[str, DaprWorkflowClient] = {}
        self._apps = {a: self._app(a, ports) for a, ports in self.facts.get("apps", {}).items()}

    def close(self) -> None:
        """Close the connections; nothing of the lab is touched."""
        self._http.close()

    def app(self, app_id: str) -> App:
        """Return an app that the lab has started.

        Raises:
            AppNotRunning: it has not.
        """
        if app_id in self._apps:
            return self._apps[app_id]
        raise AppNotRunning(
            f"the lab does not run {app_id}",
            asked=f"the app {app_id}",
            found=f"apps: {', '.join(self._apps) or 'none'}",
            look_at="lab.status()",
            fix=f"lab.up({app_id!r})",
        )

    def started_apps(self) -> Iterable[App]:
        """Return the apps that the lab has started."""
        return list(self._apps.values())

    def client(self, app_id: str) -> DaprWorkflowClient:
        """Return the SDK's client for an app."""
        if app_id not in self._clients:
            self._clients[app_id] = client_of(self.app(app_id))
        return self._clients[app_id]

    def ended_services(self) -> list[App]:
        """Return the apps whose service was started and does not run any more."""
        pids = {a: self.facts["processes"].get(f"{a} worker") for a in self._apps}
        return [self._apps[a] for a, pid in pids.items() if pid and not psutil.pid_exists(pid)]

    def run(self, instance_id: str) -> Run:
        """Return the handle of a workflow instance."""
        return workflowrun.find(self, instance_id)

    def troubles(self) -> list[str]:
        """Say which sidecars do not answer."""
        return [f"{a.app_id} does not answer" for a in self.started_apps() if not a.is_healthy()]

    @property
    def inbox(self) -> Inbox:
        """The mails that arrived."""
        return inbox(self.folder / "inbox")

    def ledger(self, app_id: str, table: str) -> list[dict[str, Any]]:
        """Return the rows of a table of an app's ledger; see :func:`labkit.apps.ledger_rows`."""
        return ledger_rows(self.app(app_id), table)

    def _app(self, app_id: str, ports: Mapping[str, int]) -> App:
        spec = next(s for s in self._run_file.apps if s.app_id == app_id)
        shared = Surroundings(
            folder=self.folder,
            daprd=Path("daprd"),
            token=str(self.facts["token"]),
            env=os.environ,
            sidecar_flags=(),
            config=self.folder / "config.yaml",
            resources=None,
            http=self._http,
            supervisor=None,
        )
        return App(
            spec,
            shared,
            http_port=ports["http_port"],
            grpc_port=ports["grpc_port"],
            internal_port=ports["internal_port"],
            metrics_port=ports["metrics_port"],
            app_port=ports["app_port"],
        )
