"""Reads ``dapr.yaml``, Dapr's own multi-app run format, as ``dapr run -f`` does; starts nothing.

Keys, defaults and precedence are those of the Dapr CLI (its packages ``runfileconfig`` and
``standalone``, read at 1.18): a value of an app beats the value in ``common``; ``env`` is merged
key by key; resources of an app beat ``<appDirPath>/.dapr/resources``, which beat those in
``common``; paths in ``common`` start at the run file, paths of an app at its ``appDirPath``.
Where the CLI falls back to files in the user's home folder, we fall back to nothing.
Unlike the CLI, which ignores a key it does not know, we name it with its line.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from labkit.errors import DeploymentError

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
    "profilePort": (int, "profile-port"),
    "command": (list, None),
    "unixDomainSocket": (str, "unix-domain-socket"),
    # For `dapr run -k` only; accepted and without meaning here, as with `dapr run -f`.
    "containerImage": (str, None),
    "containerImagePullPolicy": (str, None),
    "createService": (bool, None),
}
TOP = {"version": int, "name": str, "common": dict, "apps": list}
_LOG_DESTINATIONS = ("console", "file", "fileAndConsole")
_WORDS = {str: "text", int: "a whole number", bool: "true or false", list: "a list", dict: "a map"}


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
        if flag is None or value in (None, "", False) or (kind is int and value <= 0):
            continue
        flags += [f"--{flag}"] if kind is bool else [f"--{flag}", str(value)]
    return flags


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
        top = self._node()
        pairs = self._pairs(top, TOP, "the run file")
        if not pairs.get("version"):
            raise self._wrong("the key version is missing", top, "add the line: version: 1")
        common_node, apps_node = self._child(top, "common"), self._child(top, "apps")
        keys = {k: kind for k, (kind, _) in SHARED.items()}
        common = self._pairs(common_node, keys, "common") if "common" in pairs else {}
        items = getattr(apps_node, "value", None) or []
        if not items:
            raise self._wrong("it names no apps", top, "add the key apps with one entry per app")
        apps = tuple(self._app(node, common) for node in items)
        for number, app in enumerate(apps):
            if app.app_id in {a.app_id for a in apps[:number]}:
                raise self._wrong(
                    f"two apps have the app ID {app.app_id!r}",
                    items[number],
                    "give each app an appID of its own",
                )
        return RunFile(self.path, apps)

    def _node(self) -> yaml.Node:
        try:
            text = self.path.read_text("utf-8")
            nodes = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
        except OSError as problem:
            raise self._error(
                "it cannot be read", f"{problem.strerror}", "name a dapr.yaml that exists"
            ) from problem
        except (yaml.YAMLError, UnicodeDecodeError, ValueError) as problem:
            raise self._error("it is no YAML", str(problem), "correct that line") from problem
        if len(nodes) != 1 or not isinstance(nodes[0], yaml.MappingNode):
            raise self._error(
                "it is no map of keys",
                f"{len(nodes)} documents" if len(nodes) != 1 else f"a {nodes[0].tag[18:]}",
                "start it with the lines: version: 1, and apps:",
            )
        return nodes[0]

    def _app(self, node: yaml.Node, common: Mapping[str, Any]) -> AppSpec:
        keys = {k: kind for k, (kind, _) in {**SHARED, **OF_APP}.items()}
        own = self._pairs(node, keys, "an app")
        if not own.get("appDirPath"):
            raise self._wrong("an app has no appDirPath", node, "add: appDirPath: FOLDER")
        folder = self._path(self.path.parent, own["appDirPath"], node)
        settings = {k: v for k, v in common.items() if v not in (None, "", 0, False, [], {})}
        settings |= {k: v for k, v in own.items() if v not in (None, "", 0, False, [], {})}
        self._check_values(settings, node)
        env = {**(common.get("env") or {}), **(own.get("env") or {})}
        return AppSpec(
            app_id=own.get("appID") or folder.name,
            folder=folder,
            command=tuple(self._texts(own.get("command") or [], "command", node)),
            env={str(k): _as_text(v) for k, v in env.items()},
            resources=self._resources(own, common, folder, node),
            config=self._config(own, common, folder, node),
            settings=settings,
        )

    def _resources(
        self, own: Mapping[str, Any], common: Mapping[str, Any], folder: Path, node: yaml.Node
    ) -> tuple[Path, ...]:
        mine = self._paths(own, folder, node)
        default = folder / ".dapr" / "resources"
        if mine or default.is_dir():
            return tuple(mine or [default])
        return tuple(self._paths(common, self.path.parent, node))

    def _paths(self, given: Mapping[str, Any], base: Path, node: yaml.Node) -> list[Path]:
        many = self._texts(given.get("resourcesPaths") or [], "resourcesPaths", node)
        one = [given["resourcesPath"]] if given.get("resourcesPath") else []
        return [self._path(base, text, node) for text in [*many, *one]]

    def _config(
        self, own: Mapping[str, Any], common: Mapping[str, Any], folder: Path, node: yaml.Node
    ) -> Path | None:
        if own.get("configFilePath"):
            return self._path(folder, own["configFilePath"], node)
        default = folder / ".dapr" / "config.yaml"
        if default.is_file():
            return default
        shared = common.get("configFilePath")
        return self._path(self.path.parent, shared, node) if shared else None

    def _check_values(self, settings: Mapping[str, Any], node: yaml.Node) -> None:
        for key in ("daprdLogDestination", "appLogDestination"):
            value = settings.get(key, "file")
            if value not in _LOG_DESTINATIONS:
                raise self._wrong(
                    f"{key} is {value!r}", node, f"use one of: {', '.join(_LOG_DESTINATIONS)}"
                )
        for key in (k for k in settings if k.endswith("Port")):
            if settings[key] > 65535:
                raise self._wrong(f"{key} is {settings[key]}", node, "use a port up to 65535")

    # --- nodes with their lines --------------------------------------------------------------

    def _pairs(
        self, node: yaml.Node | None, keys: Mapping[str, type], where: str
    ) -> dict[str, Any]:
        if not isinstance(node, yaml.MappingNode):
            if node is not None and node.tag.endswith(":null"):
                return {}
            raise self._wrong(f"{where} is no map of keys", node, "write it as key: value lines")
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(getattr(key_node, "value", ""))
            if key not in keys:
                near = difflib.get_close_matches(key, keys, 1, 0.5)
                mend = f"write {near[0]}" if near else f"remove it, or use: {', '.join(keys)}"
                raise self._wrong(f"{where} has no key {key!r}", key_node, mend)
            value = self._value(value_node)
            if value is not None and not _fits(value, keys[key]):
                raise self._wrong(f"{key} is {value!r}", value_node, f"give it {_WORDS[keys[key]]}")
            found[key] = _as_text(value) if keys[key] is str and value is not None else value
        return found

    def _value(self, node: yaml.Node) -> Any:
        try:
            return yaml.SafeLoader("").construct_document(node)
        except (yaml.YAMLError, ValueError, TypeError, AttributeError, RecursionError) as problem:
            raise self._wrong("a value cannot be read", node, f"correct it: {problem}") from problem

    @staticmethod
    def _child(node: yaml.Node, name: str) -> yaml.Node | None:
        return next((v for k, v in node.value if getattr(k, "value", "") == name), None)

    def _texts(self, values: Sequence[Any], key: str, node: yaml.Node) -> list[str]:
        for value in values:
            if isinstance(value, (list, dict)) or value is None:
                raise self._wrong(f"{key} holds {value!r}", node, f"give {key} a list of texts")
        return [_as_text(v) for v in values]

    def _path(self, base: Path, text: str, node: yaml.Node) -> Path:
        try:
            full = (base / Path(text).expanduser()).absolute()
            there = full.exists()
        except (OSError, ValueError, RuntimeError):
            there, full = False, Path(str(base))
        if not there:
            raise self._wrong(
                f"there is no {text}", node, f"make it, or correct the path (it starts at {base})"
            )
        return Path(*full.parts).resolve()

    def _wrong(self, what: str, node: yaml.Node | None, mend: str) -> RunFileError:
        line = node.start_mark.line + 1 if node is not None else 1
        return self._error(what, f"line {line}: {what}", mend, line)

    def _error(self, what: str, found: str, mend: str, line: int = 1) -> RunFileError:
        return RunFileError(
            f"the run file is wrong: {what}"[:110],
            asked=f"read {self.path}",
            found=found,
            look_at=f"{self.path}:{line}",
            mend=mend,
        )


def _fits(value: Any, kind: type) -> bool:
    if kind is str:  # the CLI reads numbers and true/false as text where text is wanted
        return isinstance(value, (str, int, float)) or value is True or value is False
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
