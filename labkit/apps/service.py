"""The service process of an app, as far as it can be looked at. Starts and ends nothing."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from labkit.apps.parts import HOST, Shared
from labkit.errors import ObservationError
from labkit.processes.lives import Life
from labkit.processes.ports import is_listening
from labkit.runfile import AppSpec
from labkit.waiting import patience, poll

SERVER_SECONDS = 10.0


class NoServer(ObservationError):
    """A service runs without an HTTP server on its port."""

    code = "no-server"


@dataclass
class Service:
    """The service of one app or replica.

    Attributes:
        port: what it is told in ``APP_PORT``.
        life: its newest process, dead or alive; None before the first start.
    """

    spec: AppSpec
    shared: Shared
    port: int
    life: Life | None = None

    @property
    def exists(self) -> bool:
        """Whether the run file gives a command; without one the app is a sidecar only."""
        return bool(self.spec.command)

    @property
    def log(self) -> Path:
        """The file with its output."""
        return self.shared.log(self.spec.name, "worker")

    @property
    def ledger(self) -> Path:
        """The SQLite file in which it notes what it did; replicas share one."""
        return self.shared.folder / "ledgers" / f"{self.spec.app_id}.sqlite"

    @property
    def url(self) -> str:
        """The address of its own HTTP server, which listens on ``APP_PORT``.

        A service connects its worker and opens its server one after the other, so a lab can be
        ready a moment before the server is: this waits for it. The address of a service that does
        not run is given at once.

        Raises:
            NoServer: the service runs, and nothing listens there after 10 s.
        """
        life = self.life

        def served() -> bool:
            gone = life is not None and not life.is_alive
            return gone or is_listening(HOST, self.port)

        if life is not None and not poll(served, SERVER_SECONDS, grows=True)[1]:
            raise self._without_server(life)
        return f"http://{HOST}:{self.port}"

    def _without_server(self, life: Life) -> NoServer:
        name = self.spec.name
        return NoServer(
            f"{name} has no HTTP server",
            asked=f"the address of the HTTP server of {name}",
            found=f"its process: {life.ending()}; after {SERVER_SECONDS * patience():.0f} s "
            f"nothing listens on port {self.port}",
            look_at=f"lab.app({name!r}).logs()",
            fix="let the service listen on 127.0.0.1 and the port in APP_PORT, then"
            f" lab.restart({name!r})",
        )

    def remote_ports(self) -> set[int]:
        """Return the ports to which it, or what it started, holds a TCP connection."""
        found = set[int]()
        if self.life is not None and self.life.is_alive:
            with suppress(psutil.Error):
                own = psutil.Process(self.life.pid)
                for process in (own, *own.children(recursive=True)):
                    found |= {c.raddr.port for c in process.net_connections("tcp") if c.raddr}
        return found
