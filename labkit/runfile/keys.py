"""The keys of a run file, as the Dapr CLI has them (its ``runfileconfig`` and ``standalone``)."""

from __future__ import annotations

import re

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
PORTS = tuple(key for key in OF_APP if key.endswith("Port"))
TOP: dict[str, type | None] = {"version": int, "name": str, "common": None, "apps": None}
COMMON: dict[str, type | None] = {key: kind for key, (kind, _) in SHARED.items()}
APP: dict[str, type | None] = {**COMMON, **{key: kind for key, (kind, _) in OF_APP.items()}}
_LOGS = ("console", "file", "fileAndConsole")
ALLOWED: dict[str, tuple[str, ...]] = {
    "daprdLogDestination": _LOGS,
    "appLogDestination": _LOGS,
    "containerImagePullPolicy": ("Always", "Never", "IfNotPresent"),
    # At another one the sidecar ends (measured on 1.18.1); it takes capital letters, too.
    "logLevel": ("debug", "info", "warn", "error", "fatal"),
    "appProtocol": ("http", "https", "grpc", "grpcs", "h2c"),
}
IN_ANY_CASE = ("logLevel", "appProtocol")
SIZES = ("maxBodySize", "readBufferSize")
SIZE = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,3})?")
"""A quantity of Kubernetes, as which the CLI and the sidecar read a size."""
