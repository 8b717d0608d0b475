"""Small folders of Kubernetes manifests, with the services that their images stand for."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from pathlib import Path

import yaml

WORKER = """
import signal
import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()


@wfr.activity(name="prepare")
def prepare(ctx):
    return None  # without a local step, whoever starts a workflow waits for the call that follows


@wfr.workflow(name="activity")
def activity(ctx, app):
    yield ctx.call_activity(prepare)
    return (yield ctx.call_activity("work", app_id=app))


@wfr.workflow(name="child")
def child(ctx, app):
    yield ctx.call_activity(prepare)
    return (yield ctx.call_child_workflow("work_in_a_child", app_id=app))


@wfr.activity(name="work")
def work(ctx):
    return "done"


@wfr.workflow(name="work_in_a_child")
def work_in_a_child(ctx, given):
    return (yield ctx.call_activity(work))


wfr.start()
signal.pause()
"""
OLDER = WORKER.replace('@wfr.activity(name="work")', '@wfr.activity(name="old_work")')


def deployment(
    name: str,
    namespace: str = "tasks",
    notes: dict[str, str] | None = None,
    container: dict | None = None,
    **spec,
) -> dict:
    """A Deployment whose app ID is its name; ``notes`` are further annotations.

    ``container`` holds further keys of the container, ``spec`` further keys of the pod.
    """
    own = {"dapr.io/enabled": "true", "dapr.io/app-id": name}
    one = {"name": "service", "image": "example.com/worker:1.0"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}, "annotations": own | (notes or {})},
                "spec": {"containers": [one | (container or {})], **spec},
            },
        },
    }


def component(
    kind: str = "state.redis",
    name: str = "statestore",
    namespace: str = "tasks",
    scopes: Iterable[str] = (),
    **metadata: object,
) -> dict:
    """A component; for a Redis store its host is that of a Service."""
    rows = {"redisHost": "redis.tasks.svc.cluster.local:6379"} if kind == "state.redis" else {}
    rows |= {"actorStateStore": "true"} if kind.startswith("state.") else {}
    rows |= metadata
    named = [{"name": n, **(v if isinstance(v, dict) else {"value": v})} for n, v in rows.items()]
    more = {"scopes": list(scopes)} if scopes else {}
    return {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"type": kind, "version": "v1", "metadata": named},
        **more,
    }


def thing(kind: str, name: str, api: str = "v1", namespace: str = "tasks", **more: object) -> dict:
    """A document of any kind."""
    return {
        "apiVersion": api,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        **more,
    }


def apply(folder: Path, *documents: dict, **files: str) -> Path:
    """Write documents, and the services ``worker`` and ``older`` beside; return the manifests.

    Args:
        files: further texts, by their name without ``.yaml``.
    """
    manifests = folder / "manifests"
    manifests.mkdir(parents=True, exist_ok=True)
    for name, code in {"worker": WORKER, "older": OLDER}.items():
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "main.py").write_text(textwrap.dedent(code), "utf-8")
    texts = {"all": yaml.safe_dump_all(documents, sort_keys=False)} if documents else {}
    for name, text in (texts | files).items():
        (manifests / f"{name}.yaml").write_text(text, "utf-8")
    return manifests
