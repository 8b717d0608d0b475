"""How one app is started in a lab: ports, folders, environments, command lines. Starts nothing.

The command lines are those of ``dapr run -f``, with the lab's own control plane and loopback only.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from labkit import components, lifeline, shellenv
from labkit.errors import StartError
from labkit.ports import PortBlock, require_free
from labkit.runfile import AppSpec, cli_env, daprd_flags
from labkit.texts import Text

if TYPE_CHECKING:
    import httpx
    from typing_extensions import Self

    from labkit.processes import Supervisor

HOST = "127.0.0.1"
Part = Literal["sidecar", "worker"]
PARTS: tuple[Part, ...] = ("sidecar", "worker")
SOCKET_PATH_BYTES = 103
"""macOS takes 103 bytes, Linux 107."""


class SocketPathTooLong(StartError):
    """A Unix socket cannot have such a path."""

    code = "socket-path-too-long"


@dataclass(frozen=True)
class Surroundings:
    """What all apps of a lab share.

    Attributes:
        folder: the run folder; also the working directory of the sidecars, see ``sidecar_folder``.
        daprd: the sidecar program.
        token: what the sidecar APIs ask for in the header ``dapr-api-token``.
        env: the environment of every process.
        sidecar_flags: addresses of the control plane, and the like.
        config: the configuration of every sidecar; one that the run file names comes on top.
        resources: replaces the resources that the run file names, when given.
        run_file, loaded_at: the deployment, and when it was read, in seconds of the epoch.
    """

    folder: Path
    daprd: Path
    token: str
    env: Mapping[str, str]
    sidecar_flags: tuple[str, ...]
    config: Path
    resources: tuple[Path, ...] | None
    http: httpx.Client
    supervisor: Supervisor | None
    run_file: Path
    loaded_at: float


@dataclass
class Launch:
    """One app of a run file with its ports in a lab."""

    spec: AppSpec
    shared: Surroundings
    http_port: int
    grpc_port: int
    internal_port: int
    metrics_port: int
    app_port: int
    profile_port: int = 0

    @classmethod
    def build(
        cls, spec: AppSpec, shared: Surroundings, ports: PortBlock, internal_port: int = 0
    ) -> Self:
        """Choose the ports; those that the run file names are used as given.

        Args:
            internal_port: the one that other sidecars have been told; 0 for none yet.

        Raises:
            PortTaken: a port that the run file names is in use.
        """

        def port(named: int | None, what: str) -> int:
            if not named:
                return ports.take()
            return require_free(named, f"{what} {named} of {spec.app_id}, named by the run file")

        return cls(
            spec,
            shared,
            http_port=port(spec.dapr_http_port, "daprHTTPPort"),
            grpc_port=port(spec.dapr_grpc_port, "daprGRPCPort"),
            internal_port=internal_port
            if internal_port and not spec.dapr_internal_grpc_port
            else port(spec.dapr_internal_grpc_port, "daprInternalGRPCPort"),
            metrics_port=port(spec.metrics_port, "metricsPort"),
            app_port=port(spec.app_port, "appPort"),
            profile_port=port(spec.profile_port, "profilePort")
            if spec.settings.get("enableProfiling")
            else 0,
        )

    @property
    def app_id(self) -> str:
        """The app ID."""
        return self.spec.app_id

    @property
    def namespace(self) -> str:
        """The namespace of its sidecar."""
        return str(self.spec.env.get("NAMESPACE") or "default")

    @property
    def has_service(self) -> bool:
        """Whether the run file gives a command; without one the app is a sidecar only."""
        return bool(self.spec.command)

    @property
    def grpc_address(self) -> str:
        """Where the sidecar's gRPC API is: ``host:port``, or ``unix:/FILE``."""
        socket = self.socket("grpc")
        return f"unix:{socket}" if socket else f"{HOST}:{self.grpc_port}"

    @property
    def internal_address(self) -> str:
        """Where other sidecars reach this one: ``host:port``."""
        return f"{HOST}:{self.internal_port}"

    def socket(self, api: Literal["http", "grpc"]) -> str | None:
        """The file by which an API is reached when the run file asks for Unix sockets.

        Raises:
            SocketPathTooLong: no system takes such a path.
        """
        folder = self.spec.socket_folder
        if folder is None:
            return None
        path = str(folder / f"dapr-{self.app_id}-{api}.socket")  # daprd's name, seen on 1.18.1
        if len(os.fsencode(path)) > SOCKET_PATH_BYTES:
            raise SocketPathTooLong(
                "the path of a Unix socket is too long",
                asked=f"the sidecar of {self.app_id} at {path}",
                found=f"{len(os.fsencode(path))} bytes; systems take {SOCKET_PATH_BYTES}",
                look_at="unixDomainSocket in the run file",
                fix="name a folder with a shorter path",
            )
        return path

    @property
    def sidecar_folder(self) -> Path:
        """The working directory of the sidecar.

        It is the run folder, so that sidecars share a store that a component names by its file
        only. It is the app's folder, where the Dapr CLI starts every sidecar, when a component
        names a file there (a file with secrets, say).
        """
        own = self.spec.folder
        named = any(components.needs_folder(c, own) for c in components.read(self.resources))
        return own if named else self.shared.folder

    @property
    def resources(self) -> tuple[Path, ...]:
        """The resources of the sidecar: the lab's, or those that the run file names."""
        return self.shared.resources or self.spec.resources

    def sidecar_command(self) -> list[str]:
        """Return the command line of the sidecar."""
        return [
            str(self.shared.daprd),
            *("--app-id", self.app_id),
            *("--dapr-http-port", str(self.http_port)),
            *("--dapr-grpc-port", str(self.grpc_port)),
            *("--dapr-internal-grpc-port", str(self.internal_port)),
            *("--dapr-internal-grpc-listen-address", HOST),
            *("--dapr-listen-addresses", HOST),
            *("--metrics-port", str(self.metrics_port)),
            *("--metrics-listen-address", HOST),
            *self.shared.sidecar_flags,
            # daprd lays one over the other: the app's own says more, and wins.
            *("--config", quoted(self.shared.config)),
            *(("--config", quoted(self.spec.config)) if self.spec.config else ()),
            *(w for folder in self.resources for w in ("--resources-path", quoted(folder))),
            *(("--profile-port", str(self.profile_port)) if self.profile_port else ()),
            *self._socket_flags(),
            *(("--app-port", str(self.app_port)) if self.spec.serves else ()),
            *daprd_flags(self.spec),
        ]

    def _socket_flags(self) -> list[str]:
        usable = self.socket("grpc") is not None
        return ["--unix-domain-socket", str(self.spec.socket_folder)] if usable else []

    def env(self, part: Part) -> dict[str, str]:
        """Return the environment of a part: what the Dapr CLI gives it, and what the lab adds.

        ``env`` of the run file is the command's, as with the CLI. Of it the sidecar gets
        ``NAMESPACE`` only, which the CLI takes from its own environment, the same for all apps.
        """
        token = {"DAPR_API_TOKEN": self.shared.token}
        if part == "sidecar":
            named = {k: v for k, v in self.spec.env.items() if k == "NAMESPACE"}
            return {**self.shared.env, **token, "DAPR_HOST_IP": HOST, **named}
        return {
            **self.shared.env,
            **cli_env(self.spec),
            "APP_PORT": str(self.app_port),
            "DAPR_HTTP_PORT": str(self.http_port),
            "DAPR_GRPC_PORT": str(self.grpc_port),
            "DAPR_METRICS_PORT": str(self.metrics_port),
            "LEDGER": str(self.ledger),
            "PATH": os.pathsep.join(
                [str(Path(sys.executable).parent), self.shared.env.get("PATH", "")]
            ),
            "PYTHONUNBUFFERED": "1",
            **self.spec.env,
            **token,  # last: the lab's sidecar takes no other
        }

    @property
    def ledger(self) -> Path:
        """The SQLite file in which the service notes what it did."""
        return self.shared.folder / "ledgers" / f"{self.app_id}.sqlite"

    @property
    def command(self) -> str:
        """The exact shell lines of sidecar and service, and the same with the Dapr CLI.

        They read the environment from files in the run folder, which this writes.
        """
        service = shlex.join(self.spec.command)
        text = ["# sidecar", *self._lines("sidecar", shlex.join(self.sidecar_command()))]
        text += ["# service", *(self._lines("worker", service) if service else ["# none"])]
        text += ["# the same with the Dapr CLI, and the Dapr that it has installed"]
        text += [f"(cd {shlex.quote(str(self.spec.folder))} &&", f" {self._cli_command()})"]
        return Text("\n".join(text))

    def _lines(self, part: Part, command: str) -> list[str]:
        file = self.shared.folder / "env" / f"{self.app_id}.{part}.sh"
        mark = {lifeline.MARK: self.shared.folder.name}  # so that lab.down() ends it too
        shellenv.write(file, {**self.env(part), **mark})
        folder = self.sidecar_folder if part == "sidecar" else self.spec.folder
        return shellenv.lines(folder, file, command)

    def _cli_command(self) -> str:
        spec = self.spec
        ports = {
            "--dapr-http-port": spec.dapr_http_port,
            "--dapr-grpc-port": spec.dapr_grpc_port,
            "--dapr-internal-grpc-port": spec.dapr_internal_grpc_port,
            "--metrics-port": spec.metrics_port,
            "--profile-port": spec.profile_port,
        }
        words = ["env", *(f"{k}={v}" for k, v in spec.env.items())] if spec.env else []
        words += ["dapr", "run", "--app-id", self.app_id]
        words += [w for flag, port in ports.items() if port for w in (flag, str(port))]
        words += ["--config", str(spec.config)] if spec.config else []
        words += [w for folder in self.resources for w in ("--resources-path", str(folder))]
        words += [*self._socket_flags(), *daprd_flags(spec)]
        return shlex.join([*words, "--", *spec.command] if spec.command else words)


def quoted(path: Path) -> str:
    """Return how daprd is given a file or folder: it takes these flags as comma-separated values.

    A path with a comma, a quotation mark or a line break is whole only in quotation marks
    (cmd/daprd/options/options.go:138, a StringSlice of pflag, read as CSV; measured on 1.18.1).
    """
    text = str(path)
    is_cut = any(sign in text for sign in ',"\r\n')
    return '"{}"'.format(text.replace('"', '""')) if is_cut else text
