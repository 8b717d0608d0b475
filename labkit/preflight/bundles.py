"""What has to be rendered before it can be judged, and what is not read at all.

Charts of Helm and overlays of Kustomize make manifests; Compose files start sidecars without any.
Each is named once, so that nobody takes what was read for the whole.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from labkit.preflight.files import is_file
from labkit.preflight.findings import Finding
from labkit.preflight.model import Document
from labkit.preflight.parts import Part

CHART, TEMPLATES = "Chart.yaml", "templates"
KUSTOMIZE = ("kustomization.yaml", "kustomization.yml", "Kustomization")
YAML = (".yaml", ".yml")
PATCHES = ("patches", "patchesStrategicMerge", "patchesJson6902")
HARMLESS = {
    *("apiVersion", "kind", "metadata", "resources", "bases", "namespace", "crds", "openapi"),
    *("labels", "commonLabels", "images", "replicas", "sortOptions", "buildMetadata"),
    *("configMapGenerator", "secretGenerator", "generatorOptions"),
}
"""Keys of a kustomization that change no app ID, annotation or component."""
RENDERERS = ("helm.toolkit.fluxcd.io", "kustomize.toolkit.fluxcd.io", "helm.cattle.io")
MOST_TEMPLATES = 1000


# --- Helm -----------------------------------------------------------------------------------------


def chart_of(path: Path) -> Path | None:
    """The chart that a folder is, or that a folder of templates belongs to; None for another."""
    if is_file(path / CHART):
        return path
    if TEMPLATES not in path.absolute().parts:
        return None
    return next((p for p in path.absolute().parents if is_file(p / CHART)), None)


def chart_files(chart: Path) -> list[Path]:
    """The YAML files in the templates of a chart and its subcharts, at most a thousand."""
    found: list[Path] = []
    for folder, below, names in os.walk(chart):
        below[:] = sorted(n for n in below if not n.startswith("."))
        if TEMPLATES in Path(folder).relative_to(chart).parts:
            found += [Path(folder, n) for n in sorted(names) if n.endswith(YAML)]
        if len(found) >= MOST_TEMPLATES:
            break
    return found


def chart(folder: Path) -> Finding | None:
    """One finding for all templates of a chart; none for one without any."""
    count = len(chart_files(folder))
    if not count:
        return None
    why = f"a chart of Helm with {_many(count, 'template')}; they are not what Helm makes of them"
    return _unread(str(folder / CHART), why, f"helm template {folder} > all.yaml, and name that")


def templates(places: Sequence[str]) -> Iterator[Finding]:
    """One finding for each folder of templates that belong to no chart."""
    folders: dict[Path, list[str]] = {}
    for place in places:
        folders.setdefault(Path(place.partition(":")[0]).parent, []).append(place)
    for found in folders.values():
        why = "it is a template of Helm, not what Helm makes of it"
        if len(found) > 1:
            why = f"{len(found)} files of this folder are templates of Helm, not what it makes"
        yield _unread(found[0], why, "helm template CHART > all.yaml, and name that")


# --- Kustomize ------------------------------------------------------------------------------------


def is_recipe(document: Document) -> bool:
    """Whether it is a kustomization."""
    is_one = document.kind == "Kustomization" and document.group in ("", "kustomize.config.k8s.io")
    return is_one or (document.body.file.name in KUSTOMIZE and not is_renderer(document))


def is_renderer(document: Document) -> bool:
    """Whether it deploys what stands elsewhere: of Flux, Argo CD or K3s."""
    is_argo = document.group == "argoproj.io" and document.kind.startswith("Application")
    return is_argo or document.group in RENDERERS


def patches(recipes: Iterable[Document]) -> set[str]:
    """The files, without links, that are parts of documents only."""
    found = set()
    for recipe in recipes:
        for key in PATCHES:
            for item in recipe.body.get(key).items:
                name = item.text or item.get("path").text
                if name and "\n" not in name and "\0" not in name:
                    found.add(os.path.realpath(recipe.body.file.parent / name))
    return found


def only_recipe(recipe: Document) -> Finding:
    """A kustomization and nothing else."""
    why = "this is a recipe for Kustomize; what comes out of it is not in it"
    fix = "render it first: kubectl kustomize FOLDER > all.yaml, and name that"
    return _unread(recipe.where, why, fix)


def changes(recipe: Document, documents: Iterable[Document]) -> list[str]:
    """Say what a kustomization changes in what was read: keys of it, in their order."""
    found = [key for key, part in recipe.body.keys if part and key not in HARMLESS]
    named = {d.namespace.text for d in documents} - {""}
    own = recipe.body.get("namespace").text
    if own and named - {own}:
        found.append("namespace")
    resources = [r.text for r in recipe.body.get("resources").items]
    return [*found, *(["resources from elsewhere"] if any(map(_is_remote, resources)) else [])]


def governed(recipe: Document) -> list[str]:
    """The folders and files, without links, that a kustomization takes its documents from."""
    here = recipe.body.file.parent
    named = [r.text for key in ("resources", "bases") for r in recipe.body.get(key).items]
    local = [n for n in named if n and not _is_remote(n) and "\0" not in n]
    return [os.path.realpath(here / n) for n in local]


def overlay(recipe: Document, changed: Sequence[str]) -> Finding:
    """A kustomization that changes what was read."""
    why = f"Kustomize changes what is read here ({', '.join(changed)}); that was not rendered"
    folder = recipe.body.file.parent
    fix = f"kubectl kustomize {folder} > all.yaml, and name that"
    return _unread(recipe.where, why, fix)


def _is_remote(name: str) -> bool:
    return "://" in name or name.startswith(("github.com/", "git@"))


# --- Compose --------------------------------------------------------------------------------------


def sidecars_of_compose(body: Part) -> int | None:
    """How many sidecars of Dapr a Compose file starts; None where it is no Compose file."""
    services = body.get("services")
    if body.get("kind") or body.get("apps") or not services.keys:
        return None
    values = [part for _, part in services.keys]
    if not any(v.get("image") or v.get("build") for v in values):
        return None
    return sum(_is_sidecar(v) for v in values)


def compose(document: Document, count: int) -> Finding:
    """A Compose file."""
    what = f"with {_many(count, 'sidecar')} of Dapr; " if count else "; "
    why = f"this is a Compose file {what}".replace(" ;", ";") + "Compose is not read"
    return _unread(document.where, why, "")


def _is_sidecar(service: Part) -> bool:
    command = service.get("command")
    words = [command.text, *(w.text for w in command.items)]
    return "daprd" in service.get("image").text or any("daprd" in w for w in words)


def _many(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


def _unread(where: str, why: str, fix: str) -> Finding:
    return Finding("file", "cannot be known", where, why, fix)
