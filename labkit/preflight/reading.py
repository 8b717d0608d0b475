"""Reads files and folders into documents and apps; what cannot be read becomes a finding."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from labkit import plainfile
from labkit.preflight import runfiles
from labkit.preflight.files import is_file, is_folder, leads_nowhere, why_not
from labkit.preflight.findings import Finding, State
from labkit.preflight.model import TRUE, App, Document, Manifests
from labkit.preflight.parts import Part, documents, wrong_key
from labkit.yamltree import MOST_BYTES, NotYaml

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicaSet", "Pod")
DAPR = ("Component", "Configuration", "Resiliency")
KUSTOMIZE = ("kustomization.yaml", "kustomization.yml", "Kustomization")


def load(paths: Iterable[Path]) -> Manifests:
    """Read files and folders, and the resource folders of the run files among them.

    A file that is named twice, also by another path, is read once.
    """
    read, seen = Manifests(), set[str]()
    for file in _files(paths, read):
        _load(file, read, seen, is_named=True)
    for app in list(read.apps):
        config = [Path(app.config)] if app.resources is not None and app.config else []
        for file in [*(app.resources or ()), *config]:
            _load(file, read, seen, is_named=False)
    recipes = [d for d in read.documents if _is_recipe(d)]
    if recipes and len(recipes) == len(read.documents):
        why = "this is a recipe for Kustomize; what comes out of it is not in it"
        fix = "render it first: kubectl kustomize FOLDER > all.yaml, and name that"
        read.unreadable.append(Finding("file", "cannot be known", recipes[0].where, why, fix))
    return read


def _files(paths: Iterable[Path], read: Manifests) -> Iterator[Path]:
    """Files as named; of folders the YAML files. Hidden folders below are left out."""
    for path in paths:
        if not is_folder(path):
            yield path
            continue
        for folder, below, names in os.walk(path, onerror=lambda p: _closed(p, read)):
            below[:] = sorted(n for n in below if n == ".dapr" or not n.startswith("."))
            # Not a pipe or a folder with such a name; a link that leads nowhere is told.
            files = [Path(folder, n) for n in sorted(names) if n.endswith((".yaml", ".yml"))]
            yield from (f for f in files if is_file(f) or leads_nowhere(f))


def _closed(problem: OSError, read: Manifests) -> None:
    why, fix = why_not(problem)
    read.unreadable.append(Finding("file", "cannot be known", str(problem.filename), why, fix))


def _load(file: Path, read: Manifests, seen: set[str], is_named: bool) -> None:
    real = os.path.realpath(file)
    if real in seen:
        return
    seen.add(real)
    data = b""
    try:
        data = plainfile.read(file, MOST_BYTES)
        for body in runfiles.counted(documents(file, data), read.unreadable):
            for item in _items(body):
                _take(Document(item, real, is_named), read)
    except OSError as problem:
        problem.filename = str(file)
        _closed(problem, read)
    except NotYaml as problem:
        read.unreadable.append(_no_yaml(file, data, problem))


def _items(body: Part) -> list[Part]:
    """A document, or the items of a List."""
    return body.get("items").distinct if body.get("kind").text == "List" else [body]


def _take(document: Document, read: Manifests) -> None:
    is_run_file = runfiles.is_run_file(document.body)
    if is_run_file or document.kind in (*WORKLOADS, *DAPR):
        found = wrong_key(document.body)
        marks = [document.namespace, document.body.get("metadata", "name"), document.actor_row]
        template = next((m for m in marks if "{{" in m.text), None)
        if template or (found and found[0] is None):
            at = template or (found[1] if found else document.body)
            read.unreadable.append(_template(at.where))
            return
        if found and not is_run_file:  # of a run file the last one counts
            name, at = found
            why = f"the key {name} stands twice in one map; YAML forbids it, and readers differ"
            fix = "remove one of the two"
            read.unreadable.append(Finding("file", "broken", at.where, why, fix))
    read.documents.append(document)
    if is_run_file and document.is_named:
        apps, wrong = runfiles.apps_of(document.body)
        read.apps += apps
        read.unreadable += wrong
    elif document.kind in WORKLOADS and document.is_named:
        read.apps += _workload(document)


def _workload(document: Document) -> list[App]:
    notes = _annotations(document.body)
    if notes.get("dapr.io/enabled").text.lower() not in TRUE:
        return []
    place, config = document.namespace, notes.get("dapr.io/config")
    return [
        App(
            notes.get("dapr.io/app-id").text or document.name or "an app without a name",
            place.text or "default",
            where=document.where,
            namespace_at=place.where,
            set_namespace=f"set namespace: {{}} in {place.where}",
            config=config.text,
            config_at=config.where,
        )
    ]


def _annotations(body: Part) -> Part:
    """The annotations of the pod template, wherever the kind keeps it; those of a pod itself."""
    spec = body.get("spec")
    for _ in range(2):  # a CronJob has a job template around the pod template
        template = spec.get("template") or spec.get("jobTemplate")
        notes = template.get("metadata", "annotations")
        if notes:
            return notes
        spec = template.get("spec")
    return body.get("metadata", "annotations")


def _is_recipe(document: Document) -> bool:
    return document.kind == "Kustomization" or document.body.file.name in KUSTOMIZE


def _no_yaml(file: Path, data: bytes, problem: NotYaml) -> Finding:
    place = f"{file}:{problem.line}:{problem.column}"
    if b"{{" in data:
        return _template(place)
    state: State = "cannot be known" if problem.is_bound else "broken"
    return Finding("file", state, place, problem.what, problem.fix)


def _template(place: str) -> Finding:
    why = "it is a template of Helm, not what Helm makes of it"
    return Finding("file", "broken", place, why, "helm template CHART > all.yaml, and name that")
