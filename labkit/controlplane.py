"""Placement and scheduler: Dapr's control plane, one pair per lab, on loopback.

What upstream cannot bind to loopback: the health servers of placement and scheduler listen on all
interfaces whatever they are told (measured on 1.18.1). Both answer health questions only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from labkit.ports import PortBlock
from labkit.processes import Process, Supervisor

HOST = "127.0.0.1"


class ControlPlane:
    """Placement and scheduler of one lab.

    Args:
        programs: path of the programs ``placement`` and ``scheduler``.
        folder: the run folder; logs and the scheduler's data go there.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        ports: PortBlock,
        programs: Mapping[str, Path],
        folder: Path,
        env: Mapping[str, str],
        http: httpx.Client,
    ) -> None:
        self._supervisor, self._programs, self._folder = supervisor, programs, folder
        self._env, self._http = env, http
        names = (
            "placement raft placement_health placement_metrics "
            "scheduler etcd etcd_peer scheduler_health scheduler_metrics"
        )
        self._port = {name: ports.take() for name in names.split()}
        self.processes: dict[str, Process] = {}

    @property
    def placement_address(self) -> str:
        """``host:port`` that sidecars register at."""
        return f"{HOST}:{self._port['placement']}"

    @property
    def scheduler_address(self) -> str:
        """``host:port`` of the scheduler."""
        return f"{HOST}:{self._port['scheduler']}"

    def start(self) -> None:
        """Start what is not running; does not wait."""
        for name, argv in (("placement", self._placement()), ("scheduler", self._scheduler())):
            running = self.processes.get(name)
            if running is None or not running.is_alive:
                self.processes[name] = self._supervisor.start(
                    name, argv, self._env, self._folder, self._folder / "logs" / f"{name}.log"
                )

    def is_ready(self) -> bool:
        """Whether both answer their health question."""
        return all(self._healthy(p) for p in ("placement_health", "scheduler_health"))

    def placement_state(self) -> dict[str, Any]:
        """Return placement's table: per namespace the hosts, their app IDs and actor types.

        The best single picture of who can be called. Empty when placement does not answer.
        """
        try:
            answer = self._http.get(
                f"http://{HOST}:{self._port['placement_health']}/placement/state"
            )
            return dict(answer.json())
        except (httpx.HTTPError, ValueError):
            return {}

    def _healthy(self, port: str) -> bool:
        try:
            return self._http.get(f"http://{HOST}:{self._port[port]}/healthz").is_success
        except httpx.HTTPError:
            return False

    def _placement(self) -> list[str]:
        port = self._port
        return [
            str(self._programs["placement"]),
            *("--id", "dapr-placement-0"),
            *("--port", str(port["placement"])),
            *("--listen-address", HOST),
            *("--initial-cluster", f"dapr-placement-0={HOST}:{port['raft']}"),
            *("--healthz-port", str(port["placement_health"])),
            *("--metrics-port", str(port["placement_metrics"])),
            "--metadata-enabled=true",
        ]

    def _scheduler(self) -> list[str]:
        port, data = self._port, self._folder / "scheduler"
        data.mkdir(mode=0o700, exist_ok=True)
        return [
            str(self._programs["scheduler"]),
            *("--id", "dapr-scheduler-server-0"),
            *("--port", str(port["scheduler"])),
            *("--listen-address", HOST),
            *("--healthz-port", str(port["scheduler_health"])),
            *("--metrics-port", str(port["scheduler_metrics"])),
            *("--etcd-data-dir", str(data)),
            *("--etcd-client-port", str(port["etcd"])),
            # Any other host name makes etcd listen on all interfaces.
            "--etcd-initial-cluster",
            f"dapr-scheduler-server-0=http://{HOST}:{port['etcd_peer']}",
        ]
