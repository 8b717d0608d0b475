"""One app: a sidecar and the service process beside it, and what can be asked of the two.

The same class serves an app of another kernel's lab: its processes are then known by the journal of
the run. :mod:`labkit.apps.ownapp` adds the power to start, :mod:`labkit.labs.readiness` decides
when it is ready.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from labkit.apps import causes
from labkit.apps.causes import Cause
from labkit.apps.newer import newer
from labkit.apps.parts import PARTS, Part, Ports, Shared, written
from labkit.apps.service import Service
from labkit.apps.sidecar import Sidecar
from labkit.errors import ObservationError
from labkit.history import connections, next_after
from labkit.host import environments
from labkit.processes import lives
from labkit.processes.lives import Life, Trouble, trouble
from labkit.runfile import AppSpec

STREAM_SECONDS = 1.0
"""For so long a sidecar may still count a worker that has just ended."""


class NoLedger(ObservationError):
    """An app has not written the table that was asked for."""

    code = "no-ledger"


class UnknownPart(ObservationError):
    """An app has a sidecar and a worker, nothing else."""

    code = "unknown-part"


@dataclass(frozen=True)
class Down:
    """A time in which a part of an app, or the whole app, did not run; seconds of the epoch."""

    app_id: str
    part: Part | Literal["app"]
    start: float
    end: float | None


class App:
    """The handle of one app or replica.

    Attributes:
        shared: what all apps of the lab share.
        sidecar, service: its two parts.
        past: every process of the two so far, in the order of their start.
    """

    def __init__(self, spec: AppSpec, shared: Shared, ports: Ports) -> None:
        self.shared, self.ports = shared, ports
        self.sidecar = Sidecar(spec, shared, ports)
        self.service = Service(spec, shared, ports.app)
        self.past: list[tuple[Part, Life]] = []

    @property
    def spec(self) -> AppSpec:
        """Its entry in the run file; its parts and the next start go by what is set here."""
        return self.sidecar.spec

    @spec.setter
    def spec(self, spec: AppSpec) -> None:
        self.sidecar.spec = self.service.spec = spec

    @property
    def app_id(self) -> str:
        """The app ID."""
        return self.spec.app_id

    @property
    def name(self) -> str:
        """What the lab calls it: the app ID, or ``APP_ID#N`` for one of several replicas."""
        return self.spec.name

    # --- questions to one part ---------------------------------------------------------------

    @property
    def url(self) -> str:
        """The address of the service's own HTTP server; see :attr:`Service.url`."""
        return self.service.url

    @property
    def ledger(self) -> Path:
        """The SQLite file in which the service notes what it did; replicas share one."""
        return self.service.ledger

    @property
    def namespace(self) -> str:
        """The namespace of the sidecar: it finds the apps of no other."""
        return self.sidecar.namespace

    @property
    def grpc_address(self) -> str:
        """Where the sidecar's gRPC API is: ``host:port``, or ``unix:/FILE``."""
        return self.sidecar.grpc_address

    @property
    def internal_address(self) -> str:
        """Where other sidecars reach this one: ``host:port``."""
        return self.sidecar.internal_address

    @property
    def has_service(self) -> bool:
        """Whether the run file gives a command; without one the app is a sidecar only."""
        return self.service.exists

    def is_healthy(self) -> bool:
        """Whether the sidecar says that it is ready (``/v1.0/healthz``)."""
        return self.sidecar.is_healthy()

    def lacks_actor_store(self) -> bool:
        """Whether the running sidecar surely has no actor state store."""
        return self.sidecar.lacks_actor_store()

    def uncertified(self) -> Cause | None:
        """Return why the sidecar will never have a certificate; None when it may, or needs none."""
        return self.sidecar.uncertified()

    def refused(self) -> Cause | None:
        """Return how many requests without its token the sidecar has refused; None for none."""
        return self.sidecar.refused()

    def metadata(self) -> dict[str, Any]:
        """Return what the sidecar says about itself; see :meth:`Sidecar.metadata`."""
        return self.sidecar.metadata()

    def metrics(self) -> str:
        """Return the sidecar's metrics in Prometheus' text format."""
        return self.sidecar.metrics()

    def connected_workers(self) -> int | None:
        """Return how many workers hold a stream to the sidecar; None when it does not answer."""
        return self.sidecar.connected_workers()

    def remote_ports(self) -> set[int]:
        """Return the ports to which the service, or what it started, holds a TCP connection."""
        return self.service.remote_ports()

    def logs(self, part: Part = "worker", lines: int | None = None) -> str:
        """Return the log of a part, or its last lines."""
        self.process(part)
        return written(self.shared.log(self.name, part), lines)

    # --- processes ---------------------------------------------------------------------------

    def process(self, part: Part) -> Life | None:
        """Return the newest process of a part, dead or alive.

        Raises:
            UnknownPart: ``part`` is neither "sidecar" nor "worker".
        """
        if part not in PARTS:
            raise UnknownPart(
                f"an app has no part {part!r}",
                asked=f"{part!r} of {self.name}",
                found='every app has two parts: "sidecar" and "worker"',
                look_at=f"lab.app({self.name!r}).command",
                fix='use "sidecar" or "worker"',
            )
        return self.sidecar.life if part == "sidecar" else self.service.life

    def newest(self) -> dict[Part, Life]:
        """Return the newest process of each part that was started, sidecar first."""
        return {part: life for part in PARTS if (life := self.process(part))}

    def took(self, past: Sequence[tuple[Part, Life]]) -> None:
        """Take these for all processes of this app so far, in the order of their start."""
        self.past = list(past)
        newest = dict(self.past)
        self.sidecar.life, self.service.life = newest.get("sidecar"), newest.get("worker")

    def downs(self, since: float) -> list[Down]:
        """Return the times in which no work could run here, after ``since`` (seconds of the epoch).

        Each begins when a part ended, and lasts until a worker was connected again. The time
        before the first start is one of the whole app.
        """
        gone: list[Down] = []
        connected = connections(self.logs("sidecar"))
        if self.past and (first := self.past[0][1].started_at) > since:
            gone.append(Down(self.app_id, "app", since, _able(first, first, connected)))
        for part in PARTS:
            own = [p for n, p in self.past if n == part]
            for life, following in zip(own, [*own[1:], None], strict=False):
                if life.ended_at is not None:
                    started = following.started_at if following else None
                    end = _able(life.ended_at, started, connected)
                    gone.append(Down(self.app_id, part, life.ended_at, end))
        return gone

    def ended(self) -> list[Trouble]:
        """Return the parts of this app that were started and have ended, sidecar first.

        A service is not missing while a worker is connected to its sidecar, whoever started it.
        One record stands for all when the whole lab was ended.
        """
        gone = [p for p in self.newest().values() if not p.is_alive]
        if gone and (stopped := lives.stopped(self.shared.folder)):
            return [stopped]
        return [
            trouble(life, self.fix_of(life))
            for life in gone
            if life is self.sidecar.life or not self._has_other_worker(life)
        ]

    def _has_other_worker(self, ended: Life) -> bool:
        just_now = time.time() - (ended.ended_at or 0) < STREAM_SECONDS
        return not just_now and bool(self.connected_workers())

    # --- why something ended, and what to do about it ------------------------------------------

    def fix_of(self, ended: Life) -> str:
        """Return what to do about a part that has ended."""
        up = f"lab.up({self.name!r})"
        if ended.was_killed:
            return up
        if cause := self.cause_of(ended):
            return f"{cause.fix}; then {up}"
        if ended.exit_code == 0:
            return f"let the service stay, with signal.pause() after wfr.start(), then {up}"
        if self._lacks_its_packages(ended):
            return f"./lab setup repairs the environment of {self.name}; then {up}"
        return f"correct what its log says, then {up}"

    def cause_of(self, ended: Life) -> Cause | None:
        """Return why a part has ended by itself, where its surroundings say more than its log."""
        if ended.was_killed:
            return None
        if ended is self.sidecar.life:
            return causes.of_sidecar(ended.output(), self.sidecar.resources)
        return self.refused() if ended.exit_code else None

    def _lacks_its_packages(self, ended: Life) -> bool:
        """Whether an app ended because its own environment is not what its lock says."""
        said = ended.last_line()
        if not any(error in said for error in ("ModuleNotFoundError", "ImportError")):
            return False
        own = self.spec.folder / ".venv"
        is_ours = own.exists() and own.resolve() == environments.folder().resolve()
        return is_ours and environments.trouble() is not None

    def newer_files(self) -> list[str]:
        """Return the files that were saved after the process that uses them was started.

        Looked at are the folder of the service, its components, its configuration and the run
        file; a part that does not run is skipped. What runs may be older than these files:
        ``lab.restart(app_id)`` loads them, and a changed run file needs a new ``Lab(run_file)``.

        Returns:
            Paths relative to the folder of the run file, sorted.
        """
        found: set[Path] = set()
        worker, sidecar = self.service.life, self.sidecar.life
        if worker and worker.is_alive:
            found |= set(newer([self.spec.folder], worker.started_at))
        if sidecar and sidecar.is_alive:
            own = [*self.sidecar.resources, *([self.spec.config] if self.spec.config else [])]
            found |= set(newer(own, sidecar.started_at))
        if worker or sidecar:
            found |= set(newer([self.shared.run_file], self.shared.loaded_at))
        base = self.shared.run_file.parent
        return sorted(os.path.relpath(file, base) for file in found)


def _able(ended: float, started: float | None, connected: Sequence[float]) -> float | None:
    """When work could run again after a part had ended, and we had started it again or not.

    That is when the next worker connected, whoever started it. Where the log names no connection
    at all it is the start itself.
    """
    return next_after(connected, started or ended) if connected else started


def ledger_rows(app: App, table: str) -> list[dict[str, Any]]:
    """Return the rows that a service wrote to a table of its ledger, oldest first.

    A reader opens the file for writing, too: it has to undo what a killed service half wrote.

    Raises:
        NoLedger: the service has not written such a table.
    """
    quoted = table.replace('"', '""')
    try:
        with closing(sqlite3.connect(f"{app.ledger.as_uri()}?mode=rw", uri=True)) as db:
            db.row_factory = sqlite3.Row
            return [dict(r) for r in db.execute(f'SELECT * FROM "{quoted}" ORDER BY rowid')]
    except sqlite3.Error as problem:
        raise NoLedger(
            f"{app.app_id} has written no table {table!r}",
            asked=f"the rows of {table!r} in the ledger of {app.app_id}",
            found=f"{problem}",
            look_at=str(app.ledger),
            fix="let the service do something first, or correct the name of the table",
        ) from problem
