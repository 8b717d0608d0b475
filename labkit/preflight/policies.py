"""Resiliency and Configuration: what is set there and does not act on calls of a workflow.

Seen on 1.18.1. A note is no verdict: the file may be right for everything else the app does.
"""

from __future__ import annotations

from collections.abc import Iterator

from labkit.preflight.findings import Finding
from labkit.preflight.links import Links
from labkit.preflight.model import GROUP, App, Document, Manifests
from labkit.preflight.owners import Code
from labkit.preflight.parts import Part

LIMITS = (
    "maxConcurrentActivityInvocations",
    "maxConcurrentWorkflowInvocations",
    "globalMaxConcurrentActivityInvocations",
    "globalMaxConcurrentWorkflowInvocations",
    "activityConcurrencyLimits",
    "workflowConcurrencyLimits",
)
"""The limits of 1.18 (dapr/dapr v1.18.1, pkg/config/configuration.go:147)."""
RETRY = "for thrown errors give the call a retry_policy"


def resiliency(read: Manifests, code: Code) -> Iterator[Finding]:
    """Note policies for apps and actor types that a workflow calls."""
    for document in (d for d in read.documents if _is_resiliency(d)):
        targets = document.body.get("spec", "targets")
        marked = [(k, v) for k, v in targets.get("apps").keys if k in code.called]
        marked += [(k, v) for k, v in targets.get("actors").keys if k.startswith("dapr.internal.")]
        for name, place in marked:
            why = f"this policy for {name} does not act on calls of a workflow (seen on 1.18.1)"
            yield Finding("resiliency", "note", place.where, why, RETRY)


def configurations(read: Manifests, known: Links) -> Iterator[Finding]:
    """Say where a Configuration is missing, and where its limits do not count."""
    called: dict[App, set[str]] = {}
    for link in known.found:
        if link.caller != link.target:
            called.setdefault(link.caller, set()).add(link.target.app_id)
    for app in (a for a in read.apps if a.config):
        mine = read.configuration_of(app)
        limits = [part for d in mine for part in _limits(d)]
        if not mine and app.resources is None:
            why = f"the Configuration {app.config} of {app.app_id} is not in these files"
            yield Finding("configuration", "cannot be known", app.config_at, why)
        if app in called:
            yield from (_limit(app, sorted(called[app]), limit) for limit in limits)


def _limit(app: App, called: list[str], limit: Part) -> Finding:
    why = (
        f"this limit counts in the sidecar of {app.app_id} only, not for its calls to "
        f"{', '.join(called)} (seen on 1.18.1)"
    )
    fix = "for those set it in the Configuration of the app that is called"
    return Finding("configuration", "note", limit.where, why, fix)


def _is_resiliency(document: Document) -> bool:
    return document.kind == "Resiliency" and document.group in ("", GROUP)


def _limits(configuration: Document) -> list[Part]:
    workflow = configuration.body.get("spec", "workflow")
    return [part for part in (workflow.get(key) for key in LIMITS) if part]
