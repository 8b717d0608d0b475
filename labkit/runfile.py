"""Reads ``dapr.yaml``, Dapr's own multi-app run format, as ``dapr run -f`` does; starts nothing.

Keys, defaults and precedence are those of the Dapr CLI (its packages ``runfileconfig`` and
``standalone``): a value of an app beats the value in ``common``; ``env`` is merged
key by key; resources of an app beat ``<appDirPath>/.dapr/resources``, which beat those in
``common``; paths in ``common`` start at the run file, paths of an app at its ``appDirPath``.
Where the CLI falls back to files in the user's home folder, we fall back to nothing.
Unlike the CLI, which ignores a key it does not know, we name it with its line; and two apps with
one app ID, which the CLI starts side by side, are refused: a lab names an app by its ID.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from labkit import yamltree
from labkit.errors import DeploymentError
from labkit.yamltree import Given, WrongNode

# Keys that `common` and an app share, with the daprd flag that each becomes (None: no flag).
SHARED: dict[str, tuple[type, str | None]] = {
    "configFilePath": (str, None),
    "appProtocol": (str, "app-protocol"),
    "apiListenAddresses": (str, None),  # the lab listens on loopback only
    "enableProfiling": (bool, "enable-profiling"),
    "logLevel": (str, "log-level"),
    "appMaxConcurrency": (int, "app-max-concurrency"),
    "placementHostAddress": (str, None),  # the lab has its own control plane
    "schedulerHostAddress": (str, None),
    "resourcesPath": (str, None),
    "resourcesPaths": (list, None),
    "appSSL": (bool, "app-ssl"),
    "maxBodySize": (str, "max-body-size"),
    "readBufferSize": (str, "read-buffer-size"),
    "enableAppHealthCheck": (bool, "enable-app-health-check"),
    "appHealthCheckPath": (str, "app-health-check-path"),
    "appHealthProbeInterval": (int, "app-health-probe-interval"),
    "appHealthProbeTimeout": (int, "app-health-probe-timeout"),
    "appHealthThreshold": (int, "app-health-threshold"),
    "enableApiLogging": (bool, "enable-api-logging"),
    "runtimePath": (str, None),  # the lab uses the pinned runtime
    "env": (dict, None),
    "daprdLogDestination": (str, None),  # the lab keeps logs in its run folder
    "appLogDestination": (str, None),
}
OF_APP: dict[str, tuple[type, str | None]] = {
    "appID": (str, None),
    "appDirPath": (str, None),
    "appChannelAddress": (str, "app-channel-address"),
    "appPort": (int, "app-port"),
    "daprHTTPPort": (int, None),
    "daprGRPCPort": (int, None),
    "daprInternalGRPCPort": (int, None),
    "metricsPort": (int, None),
    "profilePort": (int, None),  # a port of the lab where the run file names none
    "command": (list, None),
    "unixDomainSocket": (str, None),  # a folder: see AppSpec.socket_folder
    # For `dapr run -k` only; accepted and without meaning here, as with `dapr run -f`.
    "containerImage": (str, None),
    "containerImagePullPolicy": (str, None),
    "createService": (bool, None),
}
TOP: dict[str, type | None] = {"version": int, "name": str, "common": None, "apps": None}
_LOGS = ("console", "file", "fileAndConsole")
_ALLOWED: dict[str, tuple[str, ...]] = {
    "daprdLogDestination": _LOGS,
    "appLogDestination": _LOGS,
    "containerImagePullPolicy": ("Always", "Never", "IfNotPresent"),
}


class RunFileError(DeploymentError):
    """The run file cannot be used as it is."""

    code = "wrong-run-file"


@dataclass(frozen=True)
class AppSpec:
    """One app of a run file, with everything from ``common`` merged in.

    Attributes:
        folder: the app's folder (``appDirPath``), absolute; the command runs there.
        command: empty when the run file gives none: then the app is a sidecar only.
        resources: folders or files for ``--resources-path``, absolute.
        config: the configuration file, absolute, or None.
        settings: the merged keys as the run file spells them.
    """

    app_id: str
    folder: Path
    command: tuple[str, ...]
    env: Mapping[str, str]
    resources: tuple[Path, ...]
    config: Path | None
    settings: Mapping[str, Any] = field(default_factory=dict)

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


def daprd_flags(spec: AppSpec) -> list[str]:
    """Return the daprd flags that the settings of an app become."""
    flags: list[str] = []
    for key, (kind, flag) in {**SHARED, **OF_APP}.items():
        value = spec.settings.get(key)
        if flag is None or not value or (kind is int and value < 0):
            continue
        flags += [f"--{flag}"] if kind is bool else [f"--{flag}", str(value)]
    return flags


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


def load(path: Path) -> RunFile:
    """Read a run file.

    Raises:
        RunFileError: it is missing, no YAML, or something in it is wrong; names key and line.
    """
    return _Reader(path).read()


class _Reader:
    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def read(self) -> RunFile:
        try:
            return self._read(self._root())
        except WrongNode as wrong:
            found = f"line {wrong.line}: {wrong.what}"
            raise self._error(wrong.what, found, wrong.fix, wrong.line) from wrong
        except RecursionError as problem:
            raise self._error(
                "it refers to itself", "an alias inside its own anchor", "remove that alias"
            ) from problem

    def _root(self) -> yaml.Node:
        try:
            root = yamltree.first_document(self.path.read_text("utf-8"))
        except OSError as problem:
            raise self._error(
                "it cannot be read", f"{problem.strerror}", "name a dapr.yaml that exists"
            ) from problem
        except (yaml.YAMLError, ValueError) as problem:
            mark = getattr(problem, "problem_mark", None)
            raise self._error(
                "it is not valid YAML",
                str(problem),
                "correct that line",
                mark.line + 1 if mark else 1,
            ) from problem
        if not isinstance(root, yaml.MappingNode):
            raise self._error(
                "it is not a map of keys",
                f"a {root.tag[18:]}" if root else "nothing",
                "start it with the lines: version: 1, and apps:",
            )
        return root

    def _read(self, root: yaml.Node) -> RunFile:
        top = yamltree.pairs(root, TOP, "the run file")
        if "version" not in top or not top["version"].value:
            raise WrongNode("the key version is missing", root, "add the line: version: 1")
        keys = {k: kind for k, (kind, _) in SHARED.items()}
        common = yamltree.pairs(top["common"].node if "common" in top else None, keys, "common")
        entries = top["apps"].node if "apps" in top else None
        if not isinstance(entries, yaml.SequenceNode) or not entries.value:
            raise WrongNode(
                "it names no apps", entries or root, "add the key apps with one entry per app"
            )
        shared = self._resources(common, self.path.parent), self._config(common, self.path.parent)
        apps: list[AppSpec] = []
        for entry in entries.value:
            app = self._app(entry, common, *shared)
            if app.app_id in {a.app_id for a in apps}:
                fix = "give each app an appID of its own"
                raise WrongNode(f"two apps have the app ID {app.app_id!r}", entry, fix)
            apps.append(app)
        return RunFile(self.path, tuple(apps))

    def _app(
        self,
        entry: yaml.Node,
        common: Mapping[str, Given],
        resources: tuple[Path, ...],
        config: Path | None,
    ) -> AppSpec:
        keys = {k: kind for k, (kind, _) in {**SHARED, **OF_APP}.items()}
        own = yamltree.pairs(entry, keys, "an app")
        if "appDirPath" not in own or not own["appDirPath"].value:
            raise WrongNode("an app has no appDirPath", entry, "add: appDirPath: FOLDER")
        folder = _path(self.path.parent, own["appDirPath"].value, own["appDirPath"].node)
        given = {k: g for part in (common, own) for k, g in part.items() if g.value}
        for key, value in given.items():
            _check_value(key, value)
        by_convention = folder / ".dapr" / "resources"
        named = self._resources(own, folder)
        app_id = own["appID"].value if "appID" in own else None
        command = given["command"].value if "command" in given else []
        return AppSpec(
            app_id=app_id or folder.name,
            folder=folder,
            command=tuple(command),
            env={**_map(common, "env"), **_map(own, "env")},
            resources=named or ((by_convention,) if by_convention.exists() else resources),
            config=self._config(own, folder) or _config_by_convention(folder) or config,
            settings={k: g.value for k, g in given.items()},
        )

    @staticmethod
    def _resources(given: Mapping[str, Given], base: Path) -> tuple[Path, ...]:
        many = given["resourcesPaths"].items if "resourcesPaths" in given else []
        one = given.get("resourcesPath")
        places = [*many, (one.value, one.node)] if one else many
        return tuple(_path(base, text, node) for text, node in places if text)

    @staticmethod
    def _config(given: Mapping[str, Given], base: Path) -> Path | None:
        file = given.get("configFilePath")
        return _path(base, file.value, file.node) if file and file.value else None

    def _error(self, what: str, found: str, fix: str, line: int = 1) -> RunFileError:
        return RunFileError(
            f"the run file is wrong: {what}"[:110],
            asked=f"read {self.path}",
            found=found,
            look_at=f"{self.path}:{line}",
            fix=fix,
        )


def _map(given: Mapping[str, Given], key: str) -> dict[str, str]:
    return (given[key].value or {}) if key in given else {}


def _config_by_convention(folder: Path) -> Path | None:
    file = folder / ".dapr" / "config.yaml"
    return file if file.exists() else None


def _check_value(key: str, given: Given) -> None:
    allowed = _ALLOWED.get(key)
    if allowed and given.value not in allowed:
        fix = f"use one of: {', '.join(allowed)}"
        raise WrongNode(f"{key} is {given.value!r}", given.node, fix)
    if key.endswith("Port") and given.value > 65535:
        raise WrongNode(f"{key} is {given.value}", given.node, "use a port up to 65535")


def _path(base: Path, text: str, node: yaml.Node) -> Path:
    """Make a path absolute as the CLI does: by its text alone, so a link keeps its own name."""
    try:
        full = Path(os.path.normpath(base / Path(text).expanduser()))
        there = full.exists()
    except (OSError, ValueError, RuntimeError):
        there = False
    if not there:
        fix = f"make it, or correct the path (it starts at {base})"
        raise WrongNode(f"there is no {text}", node, fix)
    return full
