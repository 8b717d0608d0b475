"""Placement and scheduler, and with mTLS sentry: Dapr's control plane, one per lab, on loopback.

What upstream cannot bind to loopback: the health servers of all three listen on all interfaces
whatever they are told (measured on 1.18.1). They answer health questions only.
"""

from __future__ import annotations

import re
import shutil
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from labkit.errors import StartError
from labkit.infrastructure.trust import Trust
from labkit.processes import lives
from labkit.processes.lives import Life
from labkit.processes.ports import PortBlock
from labkit.processes.supervisor import Process, Supervisor
from labkit.waiting import Reason, busy, poll

HOST = "127.0.0.1"
SERVED = "dapr_scheduler_sidecars_connected"
LEASE_SECONDS = 20
"""A scheduler that was killed keeps its leadership in etcd for so long; the next one waits for it.

Measured on 1.18.1: 21.0 s between "attempting to get initial leadership" and "fetched initial
leadership" in its log. Until then it is healthy, takes no sidecar, and nothing fires.
"""


SENTRY_SECONDS = 10.0
"""Sentry has made its certificates and answers within 0.1 s (measured on 1.18.1)."""
MOST_STARTS = 3
"""How often a part is started at most that runs out of a time limit of its own."""
LIMITS = ("timed out", "deadline exceeded")
"""Last words of such a part: etcd in the scheduler waits some seconds for itself."""
RELOADED = "the server has been stopped"
"""Sentry reloads two seconds after its certificates were written, by itself as well. One that does
not serve yet at that moment, on a slow machine, ends with these words (dapr/dapr v1.18.1,
cmd/sentry/app/app.go:200, pkg/sentry/server/server.go:126). The next one finds its certificates.
"""


NEVER_LEADS = re.compile(r'"msg":"restarting local member",.*"commit-index":0\}')
"""What etcd in the scheduler says of a store in which nothing is committed, not even itself.

It was killed in the first tenth of a second of its life. The next finds the store, counts nobody
as a voter, and never leads: healthy, and silent for ever (seen on 1.18.1: 9 minutes).
"""


class SentrySilent(StartError):
    """Sentry runs, and does not give out certificates."""

    code = "sentry-silent"


class ControlPlane:
    """Placement and scheduler of one lab, and sentry where certificates are wanted.

    Args:
        programs: path of the programs ``placement``, ``scheduler`` and ``sentry``.
        folder: the run folder; logs and the scheduler's data go there.
        trust: the certificates; None without mTLS.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        ports: PortBlock,
        programs: Mapping[str, Path],
        folder: Path,
        env: Mapping[str, str],
        http: httpx.Client,
        trust: Trust | None = None,
    ) -> None:
        self._supervisor, self._programs, self._folder = supervisor, programs, folder
        self._env, self._http, self._trust = env, http, trust
        names = (
            "placement raft placement_health placement_metrics "
            "scheduler etcd etcd_peer scheduler_health scheduler_metrics"
        )
        self._port = {name: ports.take() for name in names.split()}
        if trust is not None:
            self._port |= {"sentry": trust.port, "sentry_health": ports.take()}
        self.processes: dict[str, Process] = {}
        self._again = Counter[str]()

    @property
    def placement_address(self) -> str:
        """``host:port`` that sidecars register at."""
        return f"{HOST}:{self._port['placement']}"

    @property
    def scheduler_address(self) -> str:
        """``host:port`` of the scheduler."""
        return f"{HOST}:{self._port['scheduler']}"

    def start(self) -> None:
        """Start what is not running; waits for the certificates, and for nothing else.

        Raises:
            ProcessEnded, SentrySilent: there are no certificates, which all others need.
        """
        if self._trust is not None:
            self._sign(self._trust)
        self._keep("placement", self._placement())
        self._keep("scheduler", self._scheduler())

    def starts_again(self) -> bool:
        """Start what ran out of a time limit of its own; return whether there was something.

        Three times at most for each part: that is nobody's mistake on a machine that is slow. A
        scheduler that will never lead is ended, and started with an empty store: there is nothing
        in its own.

        Raises:
            ProcessEnded, SentrySilent: as for :meth:`start`.
        """
        scheduler = self.processes.get("scheduler")
        if scheduler and scheduler.is_alive and never_leads(scheduler):
            scheduler.kill()
            shutil.rmtree(self._folder / "scheduler", ignore_errors=True)
            lives.note(self._folder, "again", name="scheduler", at=time.time())
            self.start()
            return True
        # Each is asked, so that each is counted.
        if not [name for name in list(self.processes) if self._gets_more_time(name)]:
            return False
        self.start()
        return True

    def _gets_more_time(self, name: str) -> bool:
        process = self.processes[name]
        if process.is_alive or self._again[name] >= MOST_STARTS - 1:
            return False
        said = process.last_line()
        if RELOADED not in said and not (busy() and any(words in said for words in LIMITS)):
            return False
        self._again[name] += 1
        lives.note(self._folder, "again", name=name, at=time.time())
        return True

    def _keep(self, name: str, argv: list[str]) -> Process:
        running = self.processes.get(name)
        if running is None or not running.is_alive:
            log = self._folder / "logs" / f"{name}.log"
            running = self._supervisor.start(name, argv, self._env, self._folder, log)
            self.processes[name] = running
        return running

    def _sign(self, trust: Trust) -> None:
        trust.issuer.mkdir(mode=0o700, parents=True, exist_ok=True)
        argv = trust.sentry(self._programs["sentry"], self._port["sentry_health"])

        def signs() -> bool:
            there = trust.anchors.exists() and self._healthy("sentry_health")
            return there or not self.processes["sentry"].is_alive

        while True:
            sentry = self._keep("sentry", argv)
            if not poll(signs, SENTRY_SECONDS, grows=True)[1]:
                raise _silent(sentry, trust)
            if not self._gets_more_time("sentry"):
                break
        sentry.require_alive("start sentry", f"correct {trust.config}, then lab.up()")

    def is_ready(self) -> bool:
        """Whether both answer their health question."""
        return all(self._healthy(p) for p in ("placement_health", "scheduler_health"))

    @property
    def scheduler_metrics(self) -> str:
        """The address of the scheduler's metrics."""
        return f"http://{HOST}:{self._port['scheduler_metrics']}/metrics"

    @property
    def metrics_ports(self) -> dict[str, int]:
        """The ports of the metrics of placement and scheduler."""
        return {name: self._port[f"{name}_metrics"] for name in ("placement", "scheduler")}

    def metrics_of_scheduler(self) -> str:
        """Return the scheduler's metrics in Prometheus' text format; "" when it does not answer."""
        with suppress(httpx.HTTPError):
            return self._http.get(self.scheduler_metrics).text
        return ""

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

    def silence(self) -> Reason | None:
        """Return why the scheduler serves nobody yet; None when it does, or does not run."""
        scheduler = self.processes.get("scheduler")
        return silence(scheduler, self.scheduler_metrics, self._http) if scheduler else None

    def is_starting(self) -> bool:
        """Whether the first scheduler of this lab runs and has taken no sidecar yet."""
        scheduler = self.processes.get("scheduler")
        return bool(scheduler and _is_first(scheduler) and self.silence())

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
            *(self._trust.of_placement() if self._trust else ()),
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
            *(self._trust.of_scheduler() if self._trust else ()),
            # Any other host name makes etcd listen on all interfaces.
            "--etcd-initial-cluster",
            f"dapr-scheduler-server-0=http://{HOST}:{port['etcd_peer']}",
        ]


def _silent(sentry: Process, trust: Trust) -> SentrySilent:
    return SentrySilent(
        "sentry gives out no certificates",
        asked=f"certificates, which {trust.config} asks for",
        found=f"sentry is {sentry.ending()}, and has not answered for {SENTRY_SECONDS:g} s; "
        f"its log says: {sentry.last_line() or 'nothing'}",
        look_at=str(sentry.log),
        fix="lab.up() again; if that does not help, lab.down() and a new Lab()",
    )


def silence(scheduler: Life, metrics: str, http: httpx.Client) -> Reason | None:
    """Return why a running scheduler serves no sidecar; None when it serves one.

    Args:
        metrics: the address of its metrics: they count the sidecars that it serves, no others.
    """
    if not scheduler.is_alive or _serves(metrics, http):
        return None
    ago = time.time() - scheduler.started_at
    if never_leads(scheduler):
        return Reason(
            f"the scheduler was started {ago:.0f} s ago and will never serve a sidecar: the one"
            " before it was killed before its store had anything in it",
            str(scheduler.log),
            "lab.up() gives it an empty store: nothing is lost",
        )
    lease = f": one that was killed keeps its leadership for {LEASE_SECONDS} s"
    return Reason(
        f"the scheduler was started {ago:.0f} s ago and serves no sidecar yet"
        f"{'' if _is_first(scheduler) else lease}; until then nothing new starts, no timer fires,"
        " and no result is taken over",
        str(scheduler.log),
        "wait for it: nothing is lost",
    )


def never_leads(scheduler: Life) -> bool:
    """Whether a scheduler was started with a store in which etcd has committed nothing."""
    return not _is_first(scheduler) and bool(NEVER_LEADS.search(scheduler.output()))


def _is_first(scheduler: Life) -> bool:
    """Whether no scheduler wrote to this log before: then none holds the leadership."""
    return scheduler.log_start == 0


def _serves(metrics: str, http: httpx.Client) -> bool:
    try:
        lines = http.get(metrics).text.splitlines()
    except httpx.HTTPError:
        return False
    counts = (n.rpartition(" ")[2] for n in lines if n.startswith(SERVED))
    return any(float(count) > 0 for count in counts)
