"""One app: a sidecar and the service process beside it.

Starts both and asks the sidecar what it knows. :mod:`labkit.launch` builds the commands,
:mod:`labkit.lab` chooses the apps, :mod:`labkit.readiness` decides when they are ready. The same
class serves an app of another kernel's lab: its processes are then known by the journal of the run.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx
import psutil

from labkit import causes, environments, lives
from labkit.causes import Cause
from labkit.errors import ObservationError
from labkit.history import connections, next_after
from labkit.launch import HOST, PARTS, Launch, Part
from labkit.lives import Life, Trouble, trouble
from labkit.newer import newer
from labkit.ports import is_listening, is_listening_at
from labkit.processes import Process
from labkit.texts import Text
from labkit.waiting import patience, poll

TOKEN_HEADER = "dapr-api-token"
SERVER_SECONDS = 10.0
STREAM_SECONDS = 1.0
"""For so long a sidecar may still count a worker that has just ended."""


class SidecarSilent(ObservationError):
    """A sidecar gave no usable answer."""

    code = "sidecar-silent"


class NoLedger(ObservationError):
    """An app has not written the table that was asked for."""

    code = "no-ledger"


class UnknownPart(ObservationError):
    """An app has a sidecar and a worker, nothing else."""

    code = "unknown-part"


class NoServer(ObservationError):
    """A service runs without an HTTP server on its port."""

    code = "no-server"


@dataclass(frozen=True)
class Down:
    """A time in which a part of an app, or the whole app, did not run; seconds of the epoch."""

    app_id: str
    part: Part | Literal["app"]
    start: float
    end: float | None


@dataclass
class App(Launch):
    """The handle of one app: its sidecar, its service process, and questions to both."""

    processes: dict[Part, Life] = field(default_factory=dict)
    past: list[tuple[Part, Life]] = field(default_factory=list)
    _has_actor_store: bool = False
    _came_early: bool = False

    @property
    def url(self) -> str:
        """The address of the service's own HTTP server, which listens on ``APP_PORT``.

        A service connects its worker and opens its server one after the other, so a lab can be
        ready a moment before the server is: this waits for it. The address of a service that does
        not run is given at once.

        Raises:
            NoServer: the service runs, and nothing listens there after 10 s.
        """
        worker = self.process("worker")

        def served() -> bool:
            gone = worker is not None and not worker.is_alive
            return gone or is_listening(HOST, self.app_port)

        if worker is not None and not poll(served, SERVER_SECONDS * patience())[1]:
            raise NoServer(
                f"{self.app_id} has no HTTP server",
                asked=f"the address of the HTTP server of {self.app_id}",
                found=f"its process: {worker.ending()}; after {SERVER_SECONDS:g} s nothing listens"
                f" on port {self.app_port}",
                look_at=f"lab.app({self.app_id!r}).logs()",
                fix="let the service listen on 127.0.0.1 and the port in APP_PORT, then"
                f" lab.restart({self.app_id!r})",
            )
        return f"http://{HOST}:{self.app_port}"

    # --- processes ---------------------------------------------------------------------------

    def start(self, part: Part | None = None) -> None:
        """Start what is not running (one part, or both); does not wait."""
        for name in PARTS if part is None else (part,):
            running = self.process(name)
            if (name == "sidecar" or self.has_service) and not (running and running.is_alive):
                self._start(name)

    def starts_again(self) -> bool:
        """Whether a command that has failed gets a second start, because it came too early.

        Sidecar and service start side by side. The CLI starts a command without ``appPort`` when
        the sidecar listens, so one that needs it at once is started a second time then.
        """
        worker = self.process("worker")
        if worker is None or worker.exit_code in (None, 0) or not self._came_early:
            return False
        if self._listens():
            self._start("worker")
        return True

    def _listens(self) -> bool:
        if socket := self.socket("grpc"):
            return is_listening_at(socket)
        return all(is_listening(HOST, p) for p in (self.http_port, self.grpc_port))

    def _remove_old_sockets(self) -> None:
        """A sidecar that was killed leaves its sockets, and the next one refuses to start."""
        for path in filter(None, (self.socket("http"), self.socket("grpc"))):
            if Path(path).is_socket() and not is_listening_at(path):
                Path(path).unlink()

    def process(self, part: Part) -> Life | None:
        """Return the newest process of a part, dead or alive.

        Raises:
            UnknownPart: ``part`` is neither "sidecar" nor "worker".
        """
        if part not in PARTS:
            raise UnknownPart(
                f"an app has no part {part!r}",
                asked=f"{part!r} of {self.app_id}",
                found='every app has two parts: "sidecar" and "worker"',
                look_at=f"lab.app({self.app_id!r}).command",
                fix='use "sidecar" or "worker"',
            )
        return self.processes.get(part)

    def running_or_ended(self) -> list[Process]:
        """Return the newest process of each part that this kernel has started."""
        return [p for p in self.processes.values() if isinstance(p, Process)]

    def alive(self) -> list[Process]:
        """Return the running processes, sidecar first.

        Ending the sidecar before the worker avoids stalls of 8 to 10 s at the next start
        (measured on 1.18.1: 0 of 25 restarts stall, against 3 of 25 the other way round).
        """
        own = (self.processes.get(n) for n in PARTS)
        return [p for p in own if isinstance(p, Process) and p.is_alive]

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
        gone = [p for p in (self.processes.get(n) for n in PARTS) if p and not p.is_alive]
        if gone and (stopped := lives.stopped(self.shared.folder)):
            return [stopped]
        return [
            trouble(life, self.fix_of(life))
            for life in gone
            if life is self.processes.get("sidecar") or not self._has_other_worker(life)
        ]

    def fix_of(self, ended: Life) -> str:
        """Return what to do about a part that has ended."""
        up = f"lab.up({self.app_id!r})"
        if ended.was_killed:
            return up
        if cause := self.cause_of(ended):
            return f"{cause.fix}; then {up}"
        if ended.exit_code == 0:
            return f"let the service stay, with signal.pause() after wfr.start(), then {up}"
        if self._lacks_its_packages(ended):
            return f"./lab setup repairs the environment of {self.app_id}; then {up}"
        return f"correct what its log says, then {up}"

    def cause_of(self, ended: Life) -> Cause | None:
        """Return why a part has ended by itself, where its surroundings say more than its log."""
        if ended.was_killed:
            return None
        if ended is self.processes.get("sidecar"):
            return causes.of_sidecar(ended.output(), self.resources)
        return self.refused() if ended.exit_code else None

    def uncertified(self) -> Cause | None:
        """Return why the sidecar will never have a certificate; None when it may, or needs none."""
        sidecar = self.process("sidecar")
        if self.shared.trust is None or sidecar is None or not sidecar.is_alive:
            return None
        return causes.of_certificates(sidecar.output(), self.env("sidecar"), self.shared.trust)

    def refused(self) -> Cause | None:
        """Return how many requests without its token the sidecar has refused; None for none."""
        sidecar = self.processes.get("sidecar")
        if sidecar is None or not sidecar.is_alive:
            return None
        try:
            return causes.of_refusals(self.metrics())
        except SidecarSilent:
            return None

    def _lacks_its_packages(self, ended: Life) -> bool:
        """Whether an app ended because its own environment is not what its lock says."""
        said = ended.last_line()
        if not any(error in said for error in ("ModuleNotFoundError", "ImportError")):
            return False
        own = self.spec.folder / ".venv"
        is_ours = own.exists() and own.resolve() == environments.folder().resolve()
        return is_ours and environments.trouble() is not None

    def _has_other_worker(self, ended: Life) -> bool:
        just_now = time.time() - (ended.ended_at or 0) < STREAM_SECONDS
        return not just_now and bool(self.connected_workers())

    def newer_files(self) -> list[str]:
        """Return the files that were saved after the process that uses them was started.

        Looked at are the folder of the service, its components, its configuration and the run
        file; a part that does not run is skipped. What runs may be older than these files:
        ``lab.restart(app_id)`` loads them, and a changed run file needs a new ``Lab(run_file)``.

        Returns:
            Paths relative to the folder of the run file, sorted.
        """
        found: set[Path] = set()
        if (worker := self.processes.get("worker")) and worker.is_alive:
            found |= set(newer([self.spec.folder], worker.started_at))
        if (sidecar := self.processes.get("sidecar")) and sidecar.is_alive:
            own = [*self.resources, *([self.spec.config] if self.spec.config else [])]
            found |= set(newer(own, sidecar.started_at))
        if worker or sidecar:
            found |= set(newer([self.shared.run_file], self.shared.loaded_at))
        base = self.shared.run_file.parent
        return sorted(os.path.relpath(file, base) for file in found)

    def _start(self, part: Part) -> None:
        argv = self.sidecar_command() if part == "sidecar" else list(self.spec.command)
        cwd = self.sidecar_folder if part == "sidecar" else self.spec.folder
        log = self.shared.folder / "logs" / f"{self.app_id}.{part}.log"
        assert self.shared.supervisor is not None, "an app seen from outside starts nothing"
        if part == "sidecar":
            self._remove_old_sockets()
        else:
            self._came_early = not self.spec.app_port and not self._listens()
        process = self.shared.supervisor.start(
            f"{self.app_id} {part}", argv, self.env(part), cwd, log
        )
        self.processes[part] = process
        self._has_actor_store = False
        self.past.append((part, process))

    # --- questions ---------------------------------------------------------------------------

    def is_healthy(self) -> bool:
        """Whether the sidecar says that it is ready (``/v1.0/healthz``)."""
        try:
            return self._ask(self._api("healthz")).is_success
        except httpx.HTTPError:
            return False

    def metadata(self) -> dict[str, Any]:
        """Return what the sidecar says about itself (``/v1.0/metadata``).

        It lists actor types and the number of connected workers, never activity names
        (measured on 1.18.1).

        Raises:
            SidecarSilent: no answer within 2 s, or a refusal.
        """
        return dict(self._get(self._api("metadata")).json())

    def metrics(self) -> str:
        """Return the sidecar's metrics in Prometheus' text format.

        Raises:
            SidecarSilent: no answer within 2 s.
        """
        return Text(self._get(f"http://{HOST}:{self.metrics_port}/metrics").text)

    def lacks_actor_store(self) -> bool:
        """Whether the running sidecar surely has no actor state store; read from its log only.

        To ask such a sidecar for a workflow's state makes it end with a nil pointer (measured on
        1.18.1), so it must not be asked.
        """
        if self._has_actor_store:
            return False
        said = self.logs("sidecar").rpartition("Starting Dapr Runtime")[2]
        if "as actor state store" in said:
            self._has_actor_store = True
        # A log without this line proves nothing when it holds warnings and errors only.
        return not self._has_actor_store and "All outstanding components processed" in said

    def connected_workers(self) -> int | None:
        """Return how many workers hold a stream to the sidecar; None when it does not answer."""
        try:
            return int(self.metadata().get("workflows", {}).get("connectedWorkers", 0))
        except SidecarSilent:
            return None

    def remote_ports(self) -> set[int]:
        """Return the ports to which the service, or what it started, holds a TCP connection."""
        worker, found = self.process("worker"), set[int]()
        if worker is not None and worker.is_alive:
            with suppress(psutil.Error):
                own = psutil.Process(worker.pid)
                for process in (own, *own.children(recursive=True)):
                    found |= {c.raddr.port for c in process.net_connections("tcp") if c.raddr}
        return found

    def logs(self, part: Part = "worker", lines: int | None = None) -> str:
        """Return the log of a part, or its last lines."""
        self.process(part)
        log = self.shared.folder / "logs" / f"{self.app_id}.{part}.log"
        text = log.read_text("utf-8", "replace") if log.exists() else ""
        return Text(text if lines is None else "\n".join(text.splitlines()[-lines:]))

    def _api(self, path: str) -> str:
        return f"http://{HOST}:{self.http_port}/v1.0/{path}"

    def _ask(self, url: str) -> httpx.Response:
        headers = {TOKEN_HEADER: self.shared.token}
        socket = self.socket("http")
        if socket is None or not url.startswith(self._api("")):
            return self.shared.http.get(url, headers=headers)
        with httpx.Client(transport=httpx.HTTPTransport(uds=socket), timeout=2.0) as http:
            return http.get(url, headers=headers)

    def _get(self, url: str) -> httpx.Response:
        try:
            answer = self._ask(url)
            answer.raise_for_status()
        except httpx.HTTPError as problem:
            sidecar = self.process("sidecar")
            raise SidecarSilent(
                f"the sidecar of {self.app_id} gave no answer",
                asked=f"GET {url}",
                found=f"{type(problem).__name__}: {problem}; the sidecar is "
                + (sidecar.ending() if sidecar else "not started"),
                look_at=str(self.shared.folder / "logs" / f"{self.app_id}.sidecar.log"),
                fix=f"lab.up({self.app_id!r}) starts again what has ended",
            ) from problem
        return answer


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
