"""What stands twice: components of one name, workloads of one name, apps of one app ID."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labkit.preflight import runfiles
from labkit.preflight.findings import Finding
from labkit.preflight.model import (
    API_VERSION,
    GROUP,
    KUBERNETES,
    App,
    Document,
    Manifests,
    is_in_namespace,
)

LOADED = ("Component", "WorkflowAccessPolicy")
"""Kinds of which a sidecar of a run file reads no second of the same name, and ends
(dapr/dapr v1.18.1, pkg/internal/loader/disk/disk.go:88; pkg/runtime/runtime.go:707, 768)."""


def twins(read: Manifests) -> Iterator[Finding]:
    """Say what two documents of one name do; note two workloads with one app ID."""
    yield from _clashes(read)
    yield from _folders(read)
    yield from _replaced(read)
    yield from _shared(read)


# --- run files ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Clash:
    kind: str
    name: str
    first: str
    second: str


def _clashes(read: Manifests) -> Iterator[Finding]:
    found: dict[_Clash, list[str]] = {}
    for app in (a for a in read.apps if a.resources is not None):
        for kind in LOADED:
            for clash in _of_app(app, kind, read):
                found.setdefault(clash, []).append(app.app_id)
    for clash, apps in found.items():
        who, ends = ", ".join(apps), "its sidecar ends" if len(apps) == 1 else "their sidecars end"
        why = f"{who}: a {clash.kind} named {clash.name} is in {clash.first}, too; {ends}"
        yield Finding("component", "broken", clash.second, why, "rename or remove one of the two")


def _of_app(app: App, kind: str, read: Manifests) -> Iterator[_Clash]:
    """In the order of its folders: what the first hides, and what it does not."""
    names: dict[str, str] = {}
    for document in _in_order(app, kind, read):
        name = document.name
        if name in names:
            yield _Clash(kind, name, names[name], document.where)
        elif not document.scopes or app.app_id in document.scopes:
            names[name] = document.where


def _in_order(app: App, kind: str, read: Manifests) -> list[Document]:
    near = [d for d in read.documents if d.kind == kind and d.api_version == API_VERSION]
    by_file: dict[str, list[Document]] = {}
    for document in near:
        if id(document) not in read.refused and is_in_namespace(app, document):
            by_file.setdefault(document.real, []).append(document)
    return [d for p in app.resources or () for d in by_file.get(os.path.realpath(p), [])]


def _folders(read: Manifests) -> Iterator[Finding]:
    """One folder that is named twice has each of its components twice (measured on 1.18.1)."""
    full = {os.path.dirname(d.real) for d in read.documents if d.kind in LOADED}  # noqa: PTH120
    for document in (d for d in read.documents if runfiles.is_run_file(d.body)):
        here = document.body.file.parent
        for entry in (document.body.get("common"), *document.body.get("apps").items):
            base = here / entry.get("appDirPath").text
            seen = set[str]()
            for part in (*entry.get("resourcesPaths").items, entry.get("resourcesPath")):
                real = _real(base, part.text)
                if real in seen and real in full:
                    why = f"{part.text} is named twice, so its components are there twice; the "
                    fix = "name it once"
                    yield Finding("component", "broken", part.where, f"{why}sidecar ends", fix)
                seen.add(real)


def _real(base: Path, text: str) -> str:
    try:
        return os.path.realpath(base / text) if text else ""
    except (OSError, ValueError):  # a zero byte
        return ""


# --- Kubernetes -----------------------------------------------------------------------------------


def _replaced(read: Manifests) -> Iterator[Finding]:
    """In a cluster the document that is applied last replaces the other."""
    first: dict[tuple[str, str, str], Document] = {}
    named = (d for d in read.documents if d.is_named and d.real not in read.local)
    for document in (d for d in named if d.group == GROUP and d.name):
        key = (document.kind, document.namespace.text, document.name)
        if key in first:
            why = f"{document.kind} {document.name} is in {first[key].where}, too; the one that is "
            why += "applied last replaces the other, and this one was taken for it"
            yield Finding("component", "note", document.where, why, "remove one of the two")
        first[key] = document


def _shared(read: Manifests) -> Iterator[Finding]:
    """Workloads that share an app ID share its work."""
    first: dict[tuple[str, str], App] = {}
    for app in (a for a in read.apps if a.deployment == KUBERNETES):
        key = (app.namespace, app.app_id)
        other = first.setdefault(key, app)
        if other.workload != app.workload:
            images = " (they run different images)" if other.images != app.images else ""
            why = (
                f"{other.workload} and {app.workload} have the app ID {app.app_id} in "
                f"{app.namespace}: a call goes to either, so both must register the same{images}"
            )
            yield Finding("sidecar", "note", app.where, why, "give one of them another app ID")
