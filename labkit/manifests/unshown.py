"""What of a folder of manifests a lab on one machine does not show, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from labkit.manifests.cluster import Cluster
from labkit.manifests.pods import OF_PROCESS, Made
from labkit.manifests.wrong import place
from labkit.preflight import Document
from labkit.preflight.parts import Part
from labkit.preflight.workloads import pods_of

KINDS = {
    "NetworkPolicy": "every process of this machine reaches every other",
    "HorizontalPodAutoscaler": "nothing scales; lab.delete_pod() ends a pod as a scale-down does",
    "PodDisruptionBudget": "no node is drained",
    "Service": "it has no name to call; sidecars find each other through the lab",
    "Ingress": "nothing from outside is let in",
    "PersistentVolumeClaim": "files stay in the folder of the lab",
    "ServiceAccount": "no process has one",
    "Role": "nobody asks for permission",
    "RoleBinding": "nobody asks for permission",
    "ClusterRole": "nobody asks for permission",
    "ClusterRoleBinding": "nobody asks for permission",
    "ResourceQuota": "nothing is counted",
    "LimitRange": "nothing is limited",
    "PriorityClass": "nothing is scheduled",
    "WorkflowAccessPolicy": "left out: without mTLS it would refuse every call",
}
"""Kinds that are read and do not act, with what is the case instead."""
OF_CONTAINERS = {
    "resources": "requests and limits",
    "livenessProbe": "probes",
    "readinessProbe": "probes",
    "startupProbe": "probes",
    "volumeMounts": "volumes",
    "securityContext": "users and rights",
    "workingDir": "working directories",
}
OF_PODS = {
    "nodeSelector": "scheduling",
    "affinity": "scheduling",
    "tolerations": "scheduling",
    "topologySpreadConstraints": "scheduling",
    "volumes": "volumes",
    "securityContext": "users and rights",
}
NOBODY = {
    "requests and limits": "each process takes what it gets",
    "probes": "nobody asks them, and nothing is started again",
    "volumes": "files stay in the folders of the services",
    "users and rights": "all processes are yours",
    "scheduling": "there is one machine",
    "working directories": "each service runs in its own folder",
}


def lines(
    cluster: Cluster, made: Sequence[Made], idle: Iterable[tuple[str, str]], more: Iterable[str]
) -> list[str]:
    """Return what is not shown, one line each.

    Args:
        idle: workloads without a process, as ``file:line`` and words.
        more: what was said about resources.
    """
    found = [
        *(f"{place(where)}: {what}" for where, what in idle),
        *(line for one in made for line in _of_pod(one)),
        *more,
        *_of_templates(cluster),
        *(line for kind, why in KINDS.items() for line in _of_kind(cluster, kind, why)),
        *(["mTLS: on in a cluster by default, off here"] if made else []),
    ]
    return list(dict.fromkeys(found))


def _of_kind(cluster: Cluster, kind: str, why: str) -> Iterator[str]:
    named = [d for d in cluster.documents if d.kind == kind]
    if named:
        yield f"{kind} {', '.join(d.name for d in named)}: {why}"


def _of_pod(one: Made) -> Iterator[str]:
    pod, at = one.pod, place(one.pod.where)
    if pod.replicas > 1:
        yield f"{at}: {pod.workload} asks for {pod.replicas} pods; one is started"
    if one.others:
        yield f"{at}: {pod.workload}: not started: the containers {', '.join(one.others)}"
    if one.variables.replaced:
        yield f"{at}: {pod.workload}: the lab's own values: {', '.join(one.variables.replaced)}"
    if one.variables.unknown:
        yield f"{at}: {pod.workload}: only a cluster knows: {', '.join(one.variables.unknown)}"
    if one.left:
        yield f"{at}: {pod.workload}: without effect: {', '.join(one.left)}"
    if pod.serves:
        yield f"{at}: {pod.workload}: the app port is one of the lab, in APP_PORT"


def _of_templates(cluster: Cluster) -> Iterator[str]:
    """What the templates of pods say to the kubelet and the scheduler, each once."""
    words = [w for d in cluster.documents for w in _words(d)]
    for what in dict.fromkeys(words):
        yield f"{what}: {NOBODY[what]}"


def _words(document: Document) -> Iterator[str]:
    pods = pods_of(document) if document.body.get("spec") else None
    if pods is None:
        return
    spec = pods.template.get("spec")
    yield from (word for key, word in OF_PODS.items() if spec.get(key))
    containers: list[Part] = spec.get("containers").items
    yield from (word for key, word in OF_CONTAINERS.items() for c in containers if c.get(key))
    if any(key.startswith(OF_PROCESS) for key, _ in pods.notes.keys):
        yield OF_CONTAINERS["resources"]
