"""Resiliency and Configuration: what is set there and does not act on calls of a workflow.

Seen on 1.18.1. A note is no verdict: the file may be right for everything else the app does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from labkit.preflight.findings import Finding
from labkit.preflight.model import App, Document, Manifests
from labkit.preflight.owners import Code, links
from labkit.preflight.parts import Part

LIMITS = ("maxConcurrentActivityInvocations", "maxConcurrentWorkflowInvocations")
RETRY = "for thrown errors give the call a retry_policy"


def resiliency(read: Manifests, code: Code) -> Iterator[Finding]:
    """Note policies for apps and actor types that a workflow calls."""
    called = {call.app_id for _, call in code.calls}
    for document in (d for d in read.documents if d.kind == "Resiliency"):
        targets = document.body.get("spec", "targets")
        marked = [(k, v) for k, v in targets.get("apps").keys if k in called]
        marked += [(k, v) for k, v in targets.get("actors").keys if k.startswith("dapr.internal.")]
        for name, place in marked:
            why = f"this policy for {name} does not act on calls of a workflow (seen on 1.18.1)"
            yield Finding("resiliency", "note", place.where, why, RETRY)


def configurations(read: Manifests, code: Code) -> Iterator[Finding]:
    """Say where a Configuration is missing, and where its limits do not count."""
    known = links(read.apps, code)
    for app in (a for a in read.apps if a.config):
        mine = [d for d in read.documents if d.kind == "Configuration" and _is_of(app, d)]
        called = sorted({k.target.app_id for k in known if k.caller == app != k.target})
        limit = next((p for d in mine for p in _limits(d)), None)
        if not mine and app.resources is None:
            why = f"the Configuration {app.config} of {app.app_id} is not in these files"
            yield Finding("configuration", "cannot be known", app.config_at, why)
        if limit and called:
            why = (
                f"this limit counts in the sidecar of {app.app_id} only, not for its calls to "
                f"{', '.join(called)} (seen on 1.18.1)"
            )
            fix = "for those set it in the Configuration of the app that is called"
            yield Finding("configuration", "note", limit.where, why, fix)


def _is_of(app: App, document: Document) -> bool:
    if app.resources is not None:
        return document.real == os.path.realpath(app.config)
    return document.is_named and document.name == app.config and document.is_in(app.namespace)


def _limits(configuration: Document) -> list[Part]:
    workflow = configuration.body.get("spec", "workflow")
    return [part for part in (workflow.get(key) for key in LIMITS) if part]
