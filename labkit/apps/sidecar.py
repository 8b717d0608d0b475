"""The sidecar of an app: where it is, and the questions to it. Starts and ends nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx

from labkit.apps import causes
from labkit.apps.causes import Cause
from labkit.apps.parts import HOST, Ports, Shared, written
from labkit.errors import ObservationError, StartError
from labkit.infrastructure import trust
from labkit.infrastructure.trust import Trust
from labkit.notebook.texts import Text
from labkit.processes.lives import Life
from labkit.processes.ports import is_listening, is_listening_at
from labkit.reading import plainhttp
from labkit.runfile import AppSpec
from labkit.waiting import patience

TOKEN_HEADER = "dapr-api-token"
SOCKET_PATH_BYTES = 103
"""macOS takes 103 bytes, Linux 107."""


class SidecarSilent(ObservationError):
    """A sidecar gave no usable answer."""

    code = "sidecar-silent"


class SocketPathTooLong(StartError):
    """A Unix socket cannot have such a path."""

    code = "socket-path-too-long"


@dataclass
class Sidecar:
    """The sidecar of one app or replica.

    Attributes:
        life: its newest process, dead or alive; None before the first start.
    """

    spec: AppSpec
    shared: Shared
    ports: Ports
    life: Life | None = None
    _with_actor_store: int = field(default=0, repr=False)  # the pid of which that is known

    # --- where it is -------------------------------------------------------------------------

    @property
    def log(self) -> Path:
        """The file with its output."""
        return self.shared.log(self.spec.name, "sidecar")

    @property
    def namespace(self) -> str:
        """Its namespace: it finds the apps of no other."""
        return str(self.spec.env.get("NAMESPACE") or "default")

    @property
    def grpc_address(self) -> str:
        """Where its gRPC API is: ``host:port``, or ``unix:/FILE``."""
        socket = self.socket("grpc")
        return f"unix:{socket}" if socket else f"{HOST}:{self.ports.grpc}"

    @property
    def internal_address(self) -> str:
        """Where other sidecars reach this one: ``host:port``."""
        return f"{HOST}:{self.ports.internal}"

    @property
    def resources(self) -> tuple[Path, ...]:
        """Its resources: the lab's, or those that the run file names."""
        return self.shared.resources or self.spec.resources

    @property
    def certified(self) -> Trust | None:
        """The certificates of the lab, if this app's own Configuration asks for them."""
        return self.shared.trust if trust.is_wanted(self.spec.config) else None

    def anchors(self) -> dict[str, str]:
        """Return the variable with the root certificate that it starts with; empty without one."""
        own = {k: v for k, v in self.spec.env.items() if k == trust.ANCHORS}
        return {**(self.certified.env() if self.certified else {}), **own}

    def uncertified(self) -> Cause | None:
        """Return why it will never have a certificate; None when it may, or needs none."""
        if self.shared.trust is None or self.life is None or not self.life.is_alive:
            return None
        return causes.of_certificates(self.life.output(), self.anchors(), self.shared.trust)

    def socket(self, api: Literal["http", "grpc"]) -> str | None:
        """The file by which an API is reached when the run file asks for Unix sockets.

        Raises:
            SocketPathTooLong: no system takes such a path.
        """
        folder = self.spec.socket_folder
        if folder is None:
            return None
        name = self.spec.app_id
        path = str(folder / f"dapr-{name}-{api}.socket")  # daprd's name, seen on 1.18.1
        if len(os.fsencode(path)) > SOCKET_PATH_BYTES:
            raise SocketPathTooLong(
                "the path of a Unix socket is too long",
                asked=f"the sidecar of {name} at {path}",
                found=f"{len(os.fsencode(path))} bytes; systems take {SOCKET_PATH_BYTES}",
                look_at="unixDomainSocket in the run file",
                fix="name a folder with a shorter path",
            )
        return path

    def listens(self) -> bool:
        """Whether something listens at both APIs."""
        if socket := self.socket("grpc"):
            return is_listening_at(socket)
        return all(is_listening(HOST, p) for p in (self.ports.http, self.ports.grpc))

    def remove_old_sockets(self) -> None:
        """A sidecar that was killed leaves its sockets, and the next one refuses to start."""
        for path in filter(None, (self.socket("http"), self.socket("grpc"))):
            if Path(path).is_socket() and not is_listening_at(path):
                Path(path).unlink()

    # --- questions ---------------------------------------------------------------------------

    def is_healthy(self) -> bool:
        """Whether it says that it is ready (``/v1.0/healthz``)."""
        try:
            return self._ask(self._api("healthz")).is_success
        except httpx.HTTPError:
            return False

    def metadata(self) -> dict[str, Any]:
        """Return what it says about itself (``/v1.0/metadata``).

        It lists actor types and the number of connected workers, never activity names
        (measured on 1.18.1).

        Raises:
            SidecarSilent: no answer within 2 s, longer on a busy machine, or a refusal.
        """
        return dict(self._get(self._api("metadata")).json())

    def metrics(self) -> str:
        """Return its metrics in Prometheus' text format.

        Raises:
            SidecarSilent: no answer within 2 s, longer on a busy machine.
        """
        return Text(self._get(f"http://{HOST}:{self.ports.metrics}/metrics").text)

    def connected_workers(self) -> int | None:
        """Return how many workers hold a stream to it; None when it does not answer."""
        try:
            return int(self.metadata().get("workflows", {}).get("connectedWorkers", 0))
        except SidecarSilent:
            return None

    def lacks_actor_store(self) -> bool:
        """Whether it runs and surely has no actor state store; read from its log only.

        To ask such a sidecar for a workflow's state makes it end with a nil pointer (measured on
        1.18.1), so it must not be asked.
        """
        pid = self.life.pid if self.life else 0
        if pid and self._with_actor_store == pid:
            return False
        said = written(self.log).rpartition("Starting Dapr Runtime")[2]
        if "as actor state store" in said:
            self._with_actor_store = pid
            return False
        # A log without this line proves nothing when it holds warnings and errors only.
        return "All outstanding components processed" in said

    def refused(self) -> Cause | None:
        """Return how many requests without its token it has refused; None for none."""
        if self.life is None or not self.life.is_alive:
            return None
        try:
            return causes.of_refusals(self.metrics())
        except SidecarSilent:
            return None

    def _api(self, path: str) -> str:
        return f"http://{HOST}:{self.ports.http}/v1.0/{path}"

    def _ask(self, url: str) -> httpx.Response:
        headers = {TOKEN_HEADER: self.shared.token}
        socket, within = self.socket("http"), plainhttp.SECONDS * patience()
        if socket is None or not url.startswith(self._api("")):
            return self.shared.http.get(url, headers=headers, timeout=within)
        with plainhttp.client(socket=socket) as http:
            return http.get(url, headers=headers, timeout=within)

    def _get(self, url: str) -> httpx.Response:
        try:
            answer = self._ask(url)
            answer.raise_for_status()
        except httpx.HTTPError as problem:
            name = self.spec.name
            raise SidecarSilent(
                f"the sidecar of {name} gave no answer",
                asked=f"GET {url}",
                found=f"{type(problem).__name__}: {problem}; the sidecar is "
                + (self.life.ending() if self.life else "not started"),
                look_at=str(self.log),
                fix=f"lab.up({name!r}) starts again what has ended",
            ) from problem
        return answer
