"""What is read from manifests, before anybody judges it: documents and apps."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from labkit.preflight.findings import Finding
from labkit.preflight.parts import Part

TRUE = ("y", "yes", "true", "t", "on", "1")
KUBERNETES = "kubernetes"
GROUP = "dapr.io"
API_VERSION = f"{GROUP}/v1alpha1"
BY_KIND_ALONE = ("Configuration", "Resiliency")
"""What a sidecar of a run file takes without asking for the apiVersion (dapr/dapr v1.18.1,
pkg/config/configuration.go:627, pkg/resiliency/resiliency.go:243)."""


PLACEHOLDER = re.compile(r"\$[{(]|#\{|\{\{|<[^<>]+>|%\w+%|@\w+@")


def is_placeholder(text: str) -> bool:
    """Whether something else is written there before it is applied, as by ``envsubst``."""
    return bool(PLACEHOLDER.search(text))


def is_true(text: str) -> bool:
    """Whether Dapr takes a text for true (dapr/kit v0.18.1, strings.IsTruthy)."""
    return text.strip().lower() in TRUE


@dataclass(frozen=True)
class App:
    """An app that the manifests deploy.

    Attributes:
        deployment: the run file, or ``kubernetes``; apps of two deployments never meet.
        where: its entry or document.
        set_namespace: what to write for another namespace, with the line; ``{}`` is its name.
        resources: the resource files that its sidecar reads; None: whatever is applied.
        resources_at: where its resource folders are named, "" where they are not.
        folder: where its source is, when that is known.
        command: what is run there, empty where no file says it.
        config: name (Kubernetes) or file (run file) of its Configuration, "" for none.
        workload: kind and name of what makes its pods, "" for an app of a run file.
        images: the images of its containers, in order.
        is_open: no file says its namespace; ``kubectl -n`` may.
        is_sure: False for a kind that is not known to make pods with a sidecar.
        placement: the address of placement that it is given by annotation.
        scheduler: the same of the scheduler.
    """

    app_id: str
    namespace: str
    where: str
    namespace_at: str
    set_namespace: str
    deployment: str = KUBERNETES
    resources: tuple[Path, ...] | None = None
    resources_at: str = ""
    folder: Path | None = None
    command: tuple[str, ...] = ()
    config: str = ""
    config_at: str = ""
    workload: str = ""
    images: tuple[str, ...] = ()
    is_open: bool = False
    is_sure: bool = True
    placement: Part | None = None
    scheduler: Part | None = None

    @cached_property
    def real(self) -> str:
        """The file of its entry or document, without links."""
        return os.path.realpath(re.sub(r"(:\d+)+$", "", self.where))

    @property
    def is_in_cluster(self) -> bool:
        """Whether it is deployed to Kubernetes."""
        return self.deployment == KUBERNETES

    def meets(self, other: App) -> bool | None:
        """Whether two apps of one deployment are in one namespace; None: no file says it."""
        if self.namespace == other.namespace:
            return True
        return None if self.is_open or other.is_open else False


@dataclass(frozen=True)
class Document:
    """One YAML document.

    Attributes:
        real: the file without links, to compare.
        is_named: the caller of preflight named it; others belong to an app of a run file only.
    """

    body: Part
    real: str
    is_named: bool = True

    @property
    def where(self) -> str:
        """``file:line`` of its beginning."""
        return self.body.where

    @cached_property
    def kind(self) -> str:
        """``kind``, or "" where there is none."""
        return self.body.get("kind").text

    @cached_property
    def api_version(self) -> str:
        """``apiVersion``, or "" where there is none."""
        return self.body.get("apiVersion").text

    @property
    def group(self) -> str:
        """The group of its ``apiVersion``, "" for the core of Kubernetes."""
        return self.api_version.rpartition("/")[0]

    @cached_property
    def name(self) -> str:
        """``metadata.name``."""
        return self.body.get("metadata", "name").text

    @cached_property
    def namespace(self) -> Part:
        """``metadata.namespace``, with the line where it is or should be."""
        return self.body.get("metadata", "namespace")

    @cached_property
    def scopes(self) -> frozenset[str]:
        """The apps that may see it; none named means all."""
        return frozenset(item.text for item in self.body.get("scopes").items)

    @cached_property
    def type(self) -> str:
        """``spec.type`` of a component."""
        return self.body.get("spec", "type").text

    @cached_property
    def actor_row(self) -> Part:
        """The value of ``actorStateStore``; where there is none, the list it belongs to."""
        rows = self.body.get("spec", "metadata")
        row = self._actor_item
        return row.get("value") if row else Part(rows.file, rows.line)

    @cached_property
    def is_actor_store(self) -> bool | None:
        """Whether it says so; its type is not asked. None: its value stands elsewhere."""
        row = self._actor_item
        if row and not row.get("value") and (row.get("secretKeyRef") or row.get("envRef")):
            return None
        return is_true(self.actor_row.text)

    @cached_property
    def _actor_item(self) -> Part | None:
        rows = reversed(self.body.get("spec", "metadata").items)
        return next((r for r in rows if r.get("name").text.lower() == "actorstatestore"), None)


@dataclass
class Manifests:
    """What was read.

    Attributes:
        unreadable: files that could not be read, as findings.
        unread: what may deploy further apps and was not read, in words.
        refused: documents that neither a sidecar nor Kubernetes would take, by ``id``.
        changed: files, without links, that an overlay of Kustomize changes before they count.
    """

    documents: list[Document] = field(default_factory=list)
    apps: list[App] = field(default_factory=list)
    unreadable: list[Finding] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    refused: set[int] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    _near: dict[object, list[Document]] = field(default_factory=dict)
    _sight: dict[object, list[Document]] = field(default_factory=dict)

    @cached_property
    def local(self) -> frozenset[str]:
        """The files that sidecars of run files read, without links."""
        return frozenset(os.path.realpath(p) for p in self.resource_files)

    @property
    def resource_files(self) -> list[Path]:
        """The files that sidecars of run files read: resources, then the Configuration."""
        found: dict[Path, None] = {}
        for app in (a for a in self.apps if a.resources is not None):
            config = [Path(app.config)] if app.config else []
            found |= dict.fromkeys([*(app.resources or ()), *config])
        return list(found)

    @cached_property
    def _by_kind(self) -> dict[str, list[Document]]:
        found: dict[str, list[Document]] = {}
        for document in self.documents:
            found.setdefault(document.kind, []).append(document)
        return found

    @cached_property
    def _applied(self) -> dict[str, list[Document]]:
        """By kind what a cluster gets: of two documents of one name the one that is read last.

        A folder that a run file uses is for this machine, unless there is nothing else.
        """
        found = {}
        for kind, documents in self._by_kind.items():
            named = [d for d in documents if d.is_named]
            cluster = [d for d in named if d.real not in self.local] or named
            last = {(d.group, d.namespace.text, d.name): d for d in cluster}
            found[kind] = list(last.values())
        return found

    @cached_property
    def _of_app(self) -> dict[tuple[Path, ...], frozenset[str]]:
        sets = {a.resources for a in self.apps if a.resources is not None}
        return {s: frozenset(os.path.realpath(p) for p in s) for s in sets}

    @cached_property
    def has_namespaces(self) -> bool:
        """Whether apps of a cluster are in several namespaces, and one of these has several."""
        apps = {(a.namespace, a.app_id) for a in self.apps if a.is_in_cluster}
        return 1 < len({namespace for namespace, _ in apps}) < len(apps)

    def title(self, app: App) -> str:
        """An app, with its namespace where there are several."""
        is_one_of_many = self.has_namespaces and app.is_in_cluster
        return f"{app.app_id} in {app.namespace}" if is_one_of_many else app.app_id

    def configuration_of(self, app: App) -> list[Document]:
        """Return the Configuration of an app, if it is among the documents."""
        found = [d for d in self._by_kind.get("Configuration", []) if d.group in ("", GROUP)]
        if app.resources is not None:
            real = os.path.realpath(app.config) if app.config else ""
            return [d for d in found if d.real == real]
        mine = [d for d in found if d.is_named and d.name == app.config and app.config]
        return [d for d in mine if is_in_namespace(app, d)]

    def near(self, app: App, kind: str) -> list[Document]:
        """Return the documents of a kind in its folders, or in its cluster.

        What is refused must be known before.
        """
        key = (kind, app.resources)
        if key not in self._near:
            found = self._by_kind.get(kind, [])
            if app.resources is None:
                found = self._applied.get(kind, [])
            else:
                found = [d for d in found if d.real in self._of_app[app.resources]]
            fits = [d for d in found if id(d) not in self.refused and _is_of_dapr(d, app)]
            self._near[key] = fits
        return self._near[key]

    def in_sight(self, app: App, kind: str) -> list[Document]:
        """Return the documents of a kind that the sidecar of an app reads."""
        key = (kind, app.resources, app.namespace)
        if key not in self._sight:
            self._sight[key] = [d for d in self.near(app, kind) if is_in_namespace(app, d)]
        return [d for d in self._sight[key] if not d.scopes or app.app_id in d.scopes]


def is_in_namespace(app: App, document: Document) -> bool:
    """Whether a document reaches the namespace of an app; one that names none goes anywhere.

    A sidecar without ``NAMESPACE``, or with an empty one, does not ask for that of a resource file
    (dapr/dapr v1.18.1, pkg/internal/loader/disk/disk.go:73).
    """
    asks = app.is_in_cluster or app.namespace not in ("", "default")
    return not asks or document.namespace.text in ("", app.namespace)


def _is_of_dapr(document: Document, app: App) -> bool:
    if document.kind in BY_KIND_ALONE and not app.is_in_cluster:
        return document.group in ("", GROUP)
    return document.api_version == API_VERSION
