"""What a run file says of its apps, and what a sidecar and a command are given for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit.runfile.keys import OF_APP, SHARED


@dataclass(frozen=True)
class AppSpec:
    """One app of a run file, with everything from ``common`` merged in.

    Attributes:
        folder: the app's folder (``appDirPath``), absolute; the command runs there.
        command: empty when the run file gives none: then the app is a sidecar only.
        resources: folders for ``--resources-path``, absolute; the sidecar ends at a file (1.18.1).
        config: the configuration file, absolute, or None.
        settings: the merged keys as the run file spells them.
        flags: further flags of the sidecar, which no key of a run file gives.
        serves: the sidecar calls the service, on the port that the lab chooses.
        needs_worker: without one it is not ready; an app with ``appPort`` may have none.
        lines: where it stands in the run file, from 1: ``app`` (its entry), and if they are there
            ``command``, ``config``, ``resources`` and ``NAMESPACE`` (in its own ``env``).
        replica: its number, from 1, where a lab runs several of one app ID; else None.
    """

    app_id: str
    folder: Path
    command: tuple[str, ...]
    env: Mapping[str, str]
    resources: tuple[Path, ...]
    config: Path | None
    settings: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)
    replica: int | None = None
    flags: tuple[str, ...] = ()
    serves: bool = False
    needs_worker: bool = True

    @property
    def name(self) -> str:
        """What a lab calls it: the app ID, or ``APP_ID#N`` for one of several replicas."""
        return f"{self.app_id}#{self.replica}" if self.replica else self.app_id

    def _port(self, key: str) -> int | None:
        return self.settings.get(key) if self.settings.get(key, 0) > 0 else None

    @property
    def socket_folder(self) -> Path | None:
        """``unixDomainSocket``: where the sidecar puts the sockets of its APIs, absolute."""
        named = self.settings.get("unixDomainSocket")
        return self.folder / named if named else None

    @property
    def app_port(self) -> int | None:
        """``appPort``: where the service listens, if the run file says."""
        return self._port("appPort")

    @property
    def dapr_http_port(self) -> int | None:
        """``daprHTTPPort``, if named."""
        return self._port("daprHTTPPort")

    @property
    def dapr_grpc_port(self) -> int | None:
        """``daprGRPCPort``, if named."""
        return self._port("daprGRPCPort")

    @property
    def dapr_internal_grpc_port(self) -> int | None:
        """``daprInternalGRPCPort``, if named."""
        return self._port("daprInternalGRPCPort")

    @property
    def profile_port(self) -> int | None:
        """``profilePort``, if named."""
        return self._port("profilePort")

    @property
    def metrics_port(self) -> int | None:
        """``metricsPort``, if named."""
        return self._port("metricsPort")


@dataclass(frozen=True)
class RunFile:
    """A run file that was read and found right."""

    path: Path
    apps: tuple[AppSpec, ...]


def named(name: str, specs: Iterable[AppSpec]) -> list[AppSpec]:
    """Return what a name means: one replica, or everything with this app ID; may be empty."""
    return [s for s in specs if name in (s.name, s.app_id)]


def app_id_of(name: str) -> str:
    """Return the app ID of what a lab calls ``APP_ID`` or ``APP_ID#N``."""
    return name.partition("#")[0]


def daprd_flags(spec: AppSpec) -> list[str]:
    """Return the daprd flags that the settings of an app become."""
    flags: list[str] = []
    for key, (kind, flag) in {**SHARED, **OF_APP}.items():
        value = spec.settings.get(key)
        if flag is None or not value or (kind is int and value < 0):
            continue
        flags += [f"--{flag}"] if kind is bool else [f"--{flag}", str(value)]
    return [*flags, *spec.flags]


def cli_env(spec: AppSpec) -> dict[str, str]:
    """Return the variables that the CLI gives a command, less the ports and the ``env`` map."""
    protocol = str(spec.settings.get("appProtocol", "http")).lower()
    if spec.settings.get("appSSL") and protocol in ("http", "grpc"):
        protocol += "s"
    env = {
        "APP_ID": spec.app_id,
        "APP_CHANNEL_ADDRESS": str(spec.settings.get("appChannelAddress", "")),
    }
    known = protocol in ("http", "https", "grpc", "grpcs", "h2c")
    return env | ({"APP_PROTOCOL": protocol} if known else {})
