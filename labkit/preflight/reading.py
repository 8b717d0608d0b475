"""Reads files and folders into documents and apps; what cannot be read becomes a finding."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from labkit.preflight import bundles, runfiles, workloads
from labkit.preflight.files import is_file, is_folder, leads_nowhere
from labkit.preflight.findings import Finding, State
from labkit.preflight.model import Document, Manifests
from labkit.preflight.parts import Part, documents, wrong_key
from labkit.reading import plainfile
from labkit.reading.yamltree import MOST_BYTES, NotYaml

MOST_OF_SIDECAR = 65_536
"""bufio.MaxScanTokenSize of Go; what is longer makes the loop of dapr/dapr v1.18.1,
pkg/internal/loader/disk/manifest.go:123 endless (measured: out of memory within a minute)."""
DAPR = ("Component", "Configuration", "Resiliency", "Subscription", "WorkflowAccessPolicy")


def load(paths: Iterable[Path]) -> Manifests:
    """Read files and folders, and the resource folders of the run files among them.

    A file that is named twice, also by another path, is read once; a patch of Kustomize is no
    document and is left out.
    """
    return _Reading().load(paths)


class _Reading:
    """One reading; what was seen already is not read again."""

    def __init__(self) -> None:
        self.read = Manifests()
        self.seen = set[str]()
        self.templates: list[str] = []
        self.long: dict[str, list[Finding]] = {}

    def load(self, paths: Iterable[Path]) -> Manifests:
        files = list(dict.fromkeys(self._files(paths)))
        recipes = [f for f in files if f.name in bundles.KUSTOMIZE]
        for file in recipes:
            self._file(file, is_named=True)
        self.seen |= bundles.patches(d for d in self.read.documents if bundles.is_recipe(d))
        for file in files:
            self._file(file, is_named=True)
        for file in self.read.resource_files:
            self._file(file, is_named=False)
        self.read.unreadable += [f for real in self.read.local for f in self.long.get(real, ())]
        self.read.unreadable += bundles.templates(self.templates)
        self.read.unreadable += self._bundles()
        return self.read

    # --- files ------------------------------------------------------------------------------------

    def _files(self, paths: Iterable[Path]) -> Iterator[Path]:
        """Files as named; of folders the YAML files. Hidden folders below are left out."""
        for path in paths:
            if not is_folder(path):
                yield path
                continue
            for folder, below, names in os.walk(path, onerror=self._closed):
                here = Path(folder)
                below[:] = sorted(n for n in below if n == ".dapr" or not n.startswith("."))
                chart = bundles.chart_of(here)
                if chart:
                    self._chart(chart)
                    below[:] = [n for n in below if n not in (bundles.TEMPLATES, "charts")]
                    names = [] if chart != here else [n for n in names if _is_no_value(n)]
                files = [here / n for n in sorted(names) if _is_manifest(here / n)]
                # Not a pipe or a folder with such a name; a link that leads nowhere is told.
                yield from (f for f in files if is_file(f) or leads_nowhere(f))

    def _chart(self, chart: Path) -> None:
        real = os.path.realpath(chart)
        if real in self.seen:
            return
        self.seen.add(real)
        finding, name = bundles.chart(chart), f"the chart {chart.absolute().name}"
        self.read.unreadable += [finding] if finding else []
        self.read.unread.append(f"the chart {chart}" if name in self.read.unread else name)

    def _closed(self, problem: OSError) -> None:
        why, fix = plainfile.why_not(problem)
        place = str(problem.filename)
        self.read.unreadable.append(Finding("file", "cannot be known", place, why, fix))
        self.read.unread.append(Path(place).name)

    def _file(self, file: Path, is_named: bool) -> None:
        real = os.path.realpath(file)
        if real in self.seen:
            return
        self.seen.add(real)
        data = b""
        try:
            data = plainfile.read(file, MOST_BYTES)
            is_daprs = b"dapr" in data or b"\0" in data  # UTF-16
            self.long[real] = list(_long(file, data))
            for body in runfiles.counted(documents(file, data), self.read.unreadable):
                for item in _items(body):
                    self._take(Document(item, real, is_named), is_daprs)
        except OSError as problem:
            problem.filename = str(file)
            self._closed(problem)
        except NotYaml as problem:
            self._no_yaml(file, data, problem)

    def _no_yaml(self, file: Path, data: bytes, problem: NotYaml) -> None:
        place = f"{file}:{problem.line}:{problem.column}"
        self.read.unread.append(file.name)
        if b"{{" in data:
            self.templates.append(place)
            return
        state: State = "cannot be known" if problem.is_bound else "broken"
        self.read.unreadable.append(Finding("file", state, place, problem.what, problem.fix))

    # --- documents --------------------------------------------------------------------------------

    def _take(self, document: Document, is_daprs: bool) -> None:
        is_run_file = runfiles.is_run_file(document.body)
        is_workload = is_daprs and not is_run_file and workloads.is_workload(document)
        if (is_run_file or is_workload or document.kind in DAPR) and self._is_wrong(document):
            return
        self.read.documents.append(document)
        if not document.is_named:
            return
        if is_run_file:
            apps, wrong = runfiles.apps_of(document.body)
        elif is_workload:
            apps, wrong = workloads.apps_of(document)
            if not workloads.is_read(document):
                self.read.unread.append(f"{document.kind} {document.name}")
        else:
            if is_daprs and (patch := workloads.patch(document)):
                self.read.unreadable.append(patch)
            return
        self.read.apps += apps
        self.read.unreadable += wrong

    def _is_wrong(self, document: Document) -> bool:
        """Whether it is a template; a key that stands twice becomes a finding."""
        found = wrong_key(document.body)
        marks = [document.namespace, document.body.get("metadata", "name"), document.actor_row]
        template = next((m for m in marks if "{{" in m.text), None)
        if template or (found and found[0] is None):
            at = template or (found[1] if found else document.body)
            self.templates.append(at.where)
            self.read.unread.append(at.file.name)
            return True
        if found and not runfiles.is_run_file(document.body):  # of that the last one counts
            name, at = found
            why = f"the key {name} stands twice in one map; YAML forbids it, and readers differ"
            fix = "remove one of the two"
            self.read.unreadable.append(Finding("file", "broken", at.where, why, fix))
        return False

    def _bundles(self) -> Iterator[Finding]:
        """Kustomizations and Compose files, where what was read is not all that they make."""
        read = self.read
        recipes = [d for d in read.documents if bundles.is_recipe(d)]
        others = [d for d in read.documents if not bundles.is_recipe(d)]
        if recipes and not others:
            yield bundles.only_recipe(recipes[0])
            return
        for recipe in recipes:
            yield from self._overlay(recipe, others)
        starts = [(d, bundles.sidecars_of_compose(d.body)) for d in others if d.is_named]
        is_all = all(count is not None for _, count in starts)
        self.read.unread += [f"{d.kind} {d.name}" for d in others if bundles.is_renderer(d)]
        for document, count in starts:
            if count or (count is not None and is_all):
                yield bundles.compose(document, count)

    def _overlay(self, recipe: Document, others: list[Document]) -> Iterator[Finding]:
        sources = bundles.governed(recipe)
        of = [d for d in others if d.kind and _is_below(d.real, sources)]
        changed = bundles.changes(recipe, of)
        if changed:
            self.read.unread.append(f"the overlay {recipe.body.file.parent.absolute().name}")
            self.read.changed |= {d.real for d in of}
            yield bundles.overlay(recipe, changed)


def _long(file: Path, data: bytes) -> Iterator[Finding]:
    """A sidecar reads resources with a buffer of 64 KB, and a longer document ends it."""
    line = 1
    for part in data.split(b"\n---") if len(data) >= MOST_OF_SIDECAR else ():
        if len(part) >= MOST_OF_SIDECAR:
            why = "this document is longer than 64 KB: its sidecar runs out of memory, and ends "
            fix = "move it to another folder, or split it"
            yield Finding("file", "broken", f"{file}:{line}", f"{why}(seen on 1.18.1)", fix)
        line += part.count(b"\n") + 1


def _is_below(real: str, sources: list[str]) -> bool:
    return any(real == s or real.startswith(s.rstrip(os.sep) + os.sep) for s in sources)


def _is_manifest(file: Path) -> bool:
    """YAML, a kustomization, or JSON that names Dapr; kubectl reads all three."""
    if file.name.endswith(".json"):
        return "node_modules" not in file.parts and _names_dapr(file)
    return file.name.endswith(bundles.YAML) or file.name in bundles.KUSTOMIZE


def _names_dapr(file: Path) -> bool:
    try:
        return b"dapr.io/" in plainfile.read(file, MOST_BYTES)
    except OSError:
        return False


def _is_no_value(name: str) -> bool:
    """Of the files of a chart itself those that are no recipe of it."""
    return name != bundles.CHART and not name.startswith("values")


def _items(body: Part) -> list[Part]:
    """A document, or the items of a List."""
    return body.get("items").distinct if body.get("kind").text == "List" else [body]
