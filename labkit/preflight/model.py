"""What is read from manifests, before anybody judges it: documents and apps."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from labkit.preflight.findings import Finding
from labkit.preflight.parts import Part

TRUE = ("y", "yes", "true", "t", "on", "1")
KUBERNETES = "kubernetes"


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

    @property
    def kind(self) -> str:
        """``kind``, or "" where there is none."""
        return self.body.get("kind").text

    @property
    def name(self) -> str:
        """``metadata.name``."""
        return self.body.get("metadata", "name").text

    @property
    def namespace(self) -> Part:
        """``metadata.namespace``, with the line where it is or should be."""
        return self.body.get("metadata", "namespace")

    @property
    def is_actor_store(self) -> bool:
        """Whether it says so; its type is not asked."""
        return self.actor_row.text.lower() in TRUE

    @property
    def actor_row(self) -> Part:
        """The value of ``actorStateStore``; where there is none, the list it belongs to."""
        rows = self.body.get("spec", "metadata")
        for row in reversed(rows.items):
            if row.get("name").text.lower() == "actorstatestore":
                return row.get("value")
        return Part(rows.file, rows.line)

    def is_in(self, namespace: str) -> bool:
        """Whether it is in a namespace; one that names none goes wherever it is applied."""
        return self.namespace.text in ("", namespace)


@dataclass
class Manifests:
    """What was read: documents, apps, and files that could not be read."""

    documents: list[Document] = field(default_factory=list)
    apps: list[App] = field(default_factory=list)
    unreadable: list[Finding] = field(default_factory=list)

    def in_sight(self, app: App, kind: str) -> list[Document]:
        """Return the documents of a kind that can reach the sidecar of an app."""
        found = [d for d in self.documents if d.kind == kind]
        if app.resources is not None:
            mine = {os.path.realpath(p) for p in app.resources}
            return [d for d in found if d.real in mine]
        # A folder that a run file uses is for this machine, unless there is nothing else.
        local = {os.path.realpath(p) for a in self.apps for p in a.resources or ()}
        named = [d for d in found if d.is_named]
        return [d for d in named if d.real not in local] or named
