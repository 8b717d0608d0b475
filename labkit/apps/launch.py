"""How one app is started in a lab: folders, environments, command lines. Starts nothing.

The command lines are those of ``dapr run -f``, with the lab's own control plane and loopback only.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.apps.app import App
from labkit.apps.parts import HOST, Part, Shared
from labkit.host import shellenv
from labkit.infrastructure import components
from labkit.notebook.texts import Text
from labkit.processes import lifeline
from labkit.runfile import AppSpec, cli_env, daprd_flags

if TYPE_CHECKING:
    from labkit.processes.supervisor import Supervisor


@dataclass(frozen=True)
class Surroundings:
    """What this kernel needs to start the apps of its lab.

    Attributes:
        daprd: the sidecar program.
        env: the environment of every process.
        sidecar_flags: addresses of the control plane, and the like.
        config: the configuration of every sidecar; one that the run file names comes on top.
    """

    shared: Shared
    daprd: Path
    env: Mapping[str, str]
    sidecar_flags: tuple[str, ...]
    config: Path
    supervisor: Supervisor


class Launch:
    """How the parts of one app are started."""

    def __init__(self, app: App, around: Surroundings) -> None:
        self._app, self._around = app, around
        self._sidecar, self._ports = app.sidecar, app.ports

    @property
    def _spec(self) -> AppSpec:
        return self._app.spec

    def argv(self, part: Part) -> list[str]:
        """Return the command line of a part."""
        return self._sidecar_command() if part == "sidecar" else list(self._spec.command)

    def folder(self, part: Part) -> Path:
        """Return the working directory of a part.

        That of the sidecar is the run folder, so that sidecars share a store that a component names
        by its file only. It is the app's folder, where the Dapr CLI starts every sidecar, when a
        component names a file there (a file with secrets, say).
        """
        own = self._spec.folder
        if part == "worker":
            return own
        resources = components.read(self._sidecar.resources)
        named = any(components.needs_folder(c, own) for c in resources)
        return own if named else self._around.shared.folder

    def _sidecar_command(self) -> list[str]:
        spec, around, ports = self._spec, self._around, self._ports
        return [
            str(around.daprd),
            *("--app-id", spec.app_id),
            *("--dapr-http-port", str(ports.http)),
            *("--dapr-grpc-port", str(ports.grpc)),
            *("--dapr-internal-grpc-port", str(ports.internal)),
            *("--dapr-internal-grpc-listen-address", HOST),
            *("--dapr-listen-addresses", HOST),
            *("--metrics-port", str(ports.metrics)),
            *("--metrics-listen-address", HOST),
            *around.sidecar_flags,
            *(self._sidecar.certified.of_sidecar() if self._sidecar.certified else ()),
            # daprd lays one over the other: the app's own says more, and wins.
            *("--config", quoted(around.config)),
            *(("--config", quoted(spec.config)) if spec.config else ()),
            *(w for f in self._sidecar.resources for w in ("--resources-path", quoted(f))),
            *(("--profile-port", str(ports.profile)) if ports.profile else ()),
            *self._socket_flags(),
            *(("--app-port", str(ports.app)) if spec.serves else ()),
            *daprd_flags(spec),
        ]

    def _socket_flags(self) -> list[str]:
        usable = self._sidecar.socket("grpc") is not None
        return ["--unix-domain-socket", str(self._spec.socket_folder)] if usable else []

    def env(self, part: Part) -> dict[str, str]:
        """Return the environment of a part: what the Dapr CLI gives it, and what the lab adds.

        ``env`` of the run file is the command's, as with the CLI. Of it the sidecar gets only
        ``NAMESPACE`` and ``DAPR_TRUST_ANCHORS``, which the CLI takes from its own environment, the
        same for all apps.
        """
        spec, ports, common = self._spec, self._ports, self._around.env
        token = {"DAPR_API_TOKEN": self._around.shared.token}
        if part == "sidecar":
            named = {k: v for k, v in spec.env.items() if k == "NAMESPACE"}
            return {**common, **token, "DAPR_HOST_IP": HOST, **self._sidecar.anchors(), **named}
        return {
            **common,
            **cli_env(spec),
            "APP_PORT": str(ports.app),
            "DAPR_HTTP_PORT": str(ports.http),
            "DAPR_GRPC_PORT": str(ports.grpc),
            "DAPR_METRICS_PORT": str(ports.metrics),
            "LEDGER": str(self._app.ledger),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), common.get("PATH", "")]),
            "PYTHONUNBUFFERED": "1",
            **spec.env,
            **token,  # last: the lab's sidecar takes no other
        }

    def lines(self) -> Text:
        """Return the exact shell lines of sidecar and service, and the same with the Dapr CLI.

        They read the environment from files in the run folder, which this writes.
        """
        text = ["# sidecar", *self._lines("sidecar")]
        text += ["# service", *(self._lines("worker") if self._spec.command else ["# none"])]
        text += ["# the same with the Dapr CLI, and the Dapr that it has installed"]
        text += [f"(cd {shlex.quote(str(self._spec.folder))} &&", f" {self._cli_command()})"]
        return Text("\n".join(text))

    def _lines(self, part: Part) -> list[str]:
        run_folder = self._around.shared.folder
        file = run_folder / "env" / f"{self._spec.name}.{part}.sh"
        mark = {lifeline.MARK: run_folder.name}  # so that lab.down() ends it too
        shellenv.write(file, {**self.env(part), **mark})
        return shellenv.lines(self.folder(part), file, shlex.join(self.argv(part)))

    def _cli_command(self) -> str:
        spec = self._spec
        ports = {
            "--dapr-http-port": spec.dapr_http_port,
            "--dapr-grpc-port": spec.dapr_grpc_port,
            "--dapr-internal-grpc-port": spec.dapr_internal_grpc_port,
            "--metrics-port": spec.metrics_port,
            "--profile-port": spec.profile_port,
        }
        words = ["env", *(f"{k}={v}" for k, v in spec.env.items())] if spec.env else []
        words += ["dapr", "run", "--app-id", spec.app_id]
        words += [w for flag, port in ports.items() if port for w in (flag, str(port))]
        words += ["--config", str(spec.config)] if spec.config else []
        words += [w for f in self._sidecar.resources for w in ("--resources-path", str(f))]
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
