"""One pod of a workload as an app of a lab: what annotations and container become."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from labkit.manifests.cluster import Cluster
from labkit.manifests.images import command_of, folder_of
from labkit.manifests.variables import Variables, variables_of
from labkit.manifests.wrong import wrong
from labkit.preflight import App
from labkit.preflight.model import is_true
from labkit.preflight.parts import Part
from labkit.preflight.workloads import APP_ID, CONFIG, ENABLED, Pods
from labkit.runfile import AppSpec

GRACE_SECONDS = 30.0
"""``terminationGracePeriodSeconds`` where nothing is said (Kubernetes, PodSpec)."""
APP_PORT = "dapr.io/app-port"
TEXTS = {
    "dapr.io/app-protocol": "app-protocol",
    "dapr.io/log-level": "log-level",
    "dapr.io/max-body-size": "max-body-size",
    "dapr.io/read-buffer-size": "read-buffer-size",
    "dapr.io/block-shutdown-duration": "dapr-block-shutdown-duration",
    "dapr.io/app-health-check-path": "app-health-check-path",
}
NUMBERS = {
    "dapr.io/app-max-concurrency": "app-max-concurrency",
    "dapr.io/graceful-shutdown-seconds": "dapr-graceful-shutdown-seconds",
    "dapr.io/app-health-probe-interval": "app-health-probe-interval",
    "dapr.io/app-health-probe-timeout": "app-health-probe-timeout",
    "dapr.io/app-health-threshold": "app-health-threshold",
}
SWITCHES = {
    "dapr.io/enable-api-logging": "enable-api-logging",
    "dapr.io/enable-app-health-check": "enable-app-health-check",
}
OF_PROCESS = ("dapr.io/sidecar-cpu-", "dapr.io/sidecar-memory-")
TAKEN = {ENABLED, APP_ID, CONFIG, APP_PORT, *TEXTS, *NUMBERS, *SWITCHES}
"""Annotations that reach the sidecar of a lab (pkg/injector/patcher/sidecar_container.go)."""


@dataclass(frozen=True)
class PreStop:
    """What a container does before it is told to end; one of the three is set.

    Attributes:
        path: asked of the app's own port by GET.
    """

    command: tuple[str, ...] = ()
    seconds: float = 0.0
    path: str = ""


@dataclass(frozen=True)
class Pod(AppSpec):
    """An app of a lab that stands for a pod.

    Attributes:
        workload: kind and name of what makes the pod.
        where: ``file:line`` of that.
        replicas: how many pods are asked for; a lab runs one.
        grace_seconds: between SIGTERM and SIGKILL, with the time that ``pre_stop`` takes.
    """

    namespace: str = "default"
    workload: str = ""
    where: str = ""
    replicas: int = 1
    grace_seconds: float = GRACE_SECONDS
    pre_stop: PreStop | None = None


@dataclass(frozen=True)
class Made:
    """A pod, and what of its manifest is left.

    Attributes:
        others: names of containers that are not started.
        left: annotations of Dapr that are not taken over.
    """

    pod: Pod
    variables: Variables
    others: tuple[str, ...]
    left: tuple[str, ...]


def made(
    app: App, pods: Pods, cluster: Cluster, beside: Path, images: Mapping[str, str | Path]
) -> Made:
    """Return the pod of an app.

    Raises:
        WrongManifest: no folder stands for its image; a number, a Secret, a ConfigMap or a
            Configuration is not there or not right.
    """
    spec, space = pods.template.get("spec"), cluster.space(pods.document)
    containers = spec.get("containers").items
    if not containers:
        where, fix = pods.template.where, "add the container of the service"
        raise wrong(where, "a pod without a container", f"{pods.title} has none", fix)
    service, *others = containers
    folder = folder_of(service.get("image"), beside, images)
    variables = variables_of(service, space, cluster, _fields(pods, space))
    pod = Pod(
        app_id=app.app_id,
        folder=folder,
        command=command_of(service, folder),
        env={**variables.values, "NAMESPACE": space},
        resources=(),
        config=None,
        settings={"config": app.config, "config_at": app.config_at} if app.config else {},
        flags=_flags(pods.notes),
        serves=bool(pods.notes.get(APP_PORT).text),
        needs_worker=False,
        namespace=space,
        workload=pods.title,
        where=pods.document.where,
        replicas=int(_number(pods.document.body.get("spec", "replicas"), 1)),
        grace_seconds=_number(spec.get("terminationGracePeriodSeconds"), GRACE_SECONDS),
        pre_stop=_pre_stop(service.get("lifecycle", "preStop")),
    )
    more = [*others, *spec.get("initContainers").items]
    left = tuple(k for k, part in pods.notes.keys if part and _is_left(k))
    return Made(pod, variables, tuple(c.get("name").text for c in more), left)


def _is_left(key: str) -> bool:
    return key.startswith("dapr.io/") and key not in TAKEN and not key.startswith(OF_PROCESS)


def _fields(pods: Pods, space: str) -> dict[str, str]:
    return {"metadata.namespace": space, "metadata.name": f"{pods.document.name}-0"}


def _flags(notes: Part) -> tuple[str, ...]:
    flags: list[str] = []
    for key, part in notes.keys:
        if key in NUMBERS:
            _number(part, 0)
        flag = TEXTS.get(key) or NUMBERS.get(key)
        if flag and part.text:
            flags += [f"--{flag}", part.text]
        if key in SWITCHES and is_true(part.text):
            flags.append(f"--{SWITCHES[key]}")
    return tuple(flags)


def _number(part: Part, default: float) -> float:
    if not part:
        return default
    if not part.text.isdecimal():
        raise wrong(part.where, "a whole number belongs here", repr(part.text), "write e.g. 30")
    return float(part.text)


def _pre_stop(hook: Part) -> PreStop | None:
    if not hook:
        return None
    return PreStop(
        command=tuple(w.text for w in hook.get("exec", "command").items),
        seconds=_number(hook.get("sleep", "seconds"), 0.0),
        path=hook.get("httpGet", "path").text,
    )
