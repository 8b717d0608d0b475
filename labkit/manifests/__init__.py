"""Kubernetes manifests as the apps of a lab: a folder becomes what a run file is. Starts nothing.

There is one reader of manifests, that of :mod:`labkit.preflight`: which pods get a sidecar, and
under which app ID, in which namespace. Here each of these pods becomes an app: a folder stands for
its image (ADR 022), annotations become flags of the sidecar, the environment is that of the
container. Each namespace has its own folder of resources, and the sidecar gets ``NAMESPACE``, so
that apps of two namespaces are as far apart as in a cluster. What this cannot show is kept as
:attr:`Deployed.not_shown`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from labkit import paths
from labkit.manifests import unshown
from labkit.manifests.cluster import Cluster
from labkit.manifests.pods import Made, Pod, PreStop, made
from labkit.manifests.resources import Resources, written
from labkit.manifests.wrong import WrongManifest, refused, wrong
from labkit.preflight import App, Manifests, schema
from labkit.preflight import load as read_manifests
from labkit.preflight.files import is_file, is_folder
from labkit.preflight.model import Document
from labkit.preflight.workloads import Pods, is_workload, pods_of
from labkit.runfile import MOST_APPS, RunFile

__all__ = ["Deployed", "Pod", "PreStop", "WrongManifest", "load"]

DEFAULT = "default"


@dataclass(frozen=True)
class Deployed(RunFile):
    """A folder of manifests that was read and found right; its apps are of the kind :class:`Pod`.

    Attributes:
        not_shown: what a lab leaves out or replaces, one line each.
        images, namespace: as they were given to :func:`load`.
    """

    not_shown: tuple[str, ...] = ()
    images: Mapping[str, str] | None = None
    namespace: str = DEFAULT


def load(
    path: Path, images: Mapping[str, str | Path] | None = None, namespace: str = DEFAULT
) -> Deployed:
    """Read manifests for a lab, and write the resources of its sidecars to the state folder.

    Args:
        path: a folder, searched to the bottom, or one file.
        images: the folder of a service by its image, with or without tag, where the name of the
            image is not the name of a folder beside ``path`` or in ``services/``.
        namespace: where a document goes that names none, as ``kubectl -n`` says.

    Raises:
        WrongManifest: it cannot be applied, or not be run here; names file and line.
    """
    path = path.absolute()
    if not (is_folder(path) or is_file(path)):
        raise wrong(str(path), "no such folder", "there is nothing", "correct the path")
    read = read_manifests([path])
    _require_applicable(read)
    cluster = Cluster.of(read.documents, namespace)
    pods = [made(*one, cluster, path.parent, images or {}) for one in _found(read, cluster)]
    started = [one for one in pods if one.pod.replicas]
    _require_apps(path, started, read)
    spaces = dict.fromkeys(one.pod.namespace for one in started)
    resources = written(cluster, spaces, _state_of(path, namespace))
    return Deployed(
        path,
        tuple(_equipped(one.pod, cluster, resources) for one in started),
        tuple(unshown.lines(cluster, started, _idle(read, cluster, pods), resources.notes)),
        {image: str(folder) for image, folder in (images or {}).items()},
        namespace,
    )


def _require_applicable(read: Manifests) -> None:
    """Refuse what kubectl would refuse, and what has to be rendered before."""
    for finding in read.unreadable:
        if finding.requirement == "file":
            raise refused(finding)
    for finding in schema.problems(read):
        if finding.state == "broken":
            raise refused(finding)


def _found(read: Manifests, cluster: Cluster) -> Iterator[tuple[App, Pods]]:
    """The apps that surely run, each with the template of its pods."""
    documents = {(d.where, pods.title): pods for d, pods in _templates(cluster)}
    for app in read.apps:
        pods = documents.get((app.where, app.workload))
        is_none = pods is not None and pods.document.body.get("spec", "replicas").text == "0"
        if pods is not None and (app.is_sure or is_none):
            yield app, pods


def _templates(cluster: Cluster) -> Iterator[tuple[Document, Pods]]:
    for document in cluster.documents:
        pods = pods_of(document) if is_workload(document) else None
        if pods is not None:
            yield document, pods


def _idle(read: Manifests, cluster: Cluster, pods: list[Made]) -> Iterator[tuple[str, str]]:
    """Workloads for which no process is started, and why."""
    for finding in read.unreadable:
        if finding.requirement == "sidecar" and finding.state == "broken":
            yield finding.where, finding.why
    for one in pods:
        if not one.pod.replicas:
            yield one.pod.where, f"{one.pod.workload} has no pods: replicas is 0"
    known = {one.pod.where for one in pods}
    for document, template in _templates(cluster):
        if document.where not in known:
            yield document.where, f"{template.title} is not started: it gets no sidecar"


def _require_apps(path: Path, pods: list[Made], read: Manifests) -> None:
    seen: dict[str, Pod] = {}
    for pod in (one.pod for one in pods):
        if pod.app_id in seen:
            found = f"{pod.app_id} also in {seen[pod.app_id].where}; a lab knows apps by app ID"
            fix = "give each workload an app ID of its own, or start one namespace at a time"
            raise wrong(pod.where, "the app ID is taken", found, fix)
        seen[pod.app_id] = pod
    if not pods:
        broken = [f for f in read.unreadable if f.state == "broken"]
        if broken:
            raise refused(broken[0])
        fix = 'annotate pods with dapr.io/enabled: "true" and dapr.io/app-id'
        raise wrong(str(path), "no pod with a sidecar", f"{len(read.documents)} documents", fix)
    if len(pods) > MOST_APPS:
        raise wrong(str(path), "too many apps", f"{len(pods)} apps", f"start {MOST_APPS} at most")


def _equipped(pod: Pod, cluster: Cluster, resources: Resources) -> Pod:
    """Give a pod the folder of its namespace, and its Configuration.

    Raises:
        WrongManifest: the Configuration that it names is not there; its sidecar would end.
    """
    space, named = pod.namespace, pod.settings.get("config", "")
    config = resources.configurations.get((space, named)) if named else None
    if named and config is None:
        found = f"{named!r} is not in namespace {space}; in a cluster its sidecar ends"
        fix = f"add a Configuration of this name to {space}"
        raise wrong(pod.settings["config_at"], "no such Configuration", found, fix)
    return replace(pod, resources=(resources.folder[space],), config=config)


def _state_of(path: Path, namespace: str) -> Path:
    key = hashlib.sha256(f"{path.resolve()}\n{namespace}".encode()).hexdigest()[:12]
    return paths.own(paths.own(paths.state() / "manifests") / key)
