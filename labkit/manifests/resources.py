"""Dapr's resources of a namespace as files for sidecars, on what a lab has.

A sidecar in a cluster gets them from the operator, by namespace; one of a lab reads a folder. So
each namespace has a folder of its own, with copies. What a component names outside of this machine
is replaced by what the lab has, and never asked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from labkit import paths
from labkit.infrastructure import redis
from labkit.infrastructure.components import Component, kind, name
from labkit.manifests.cluster import Cluster
from labkit.manifests.wrong import place, wrong
from labkit.preflight import Document
from labkit.preflight.model import GROUP
from labkit.preflight.requirements import SUITED, UNSUITED

READ = ("Component", "Resiliency", "Subscription", "HTTPEndpoint")
"""Kinds that are copied. A WorkflowAccessPolicy is not: without mTLS it refuses every call."""
SECRETS = "kubernetes"
"""The name that Dapr gives to the store of a cluster's secrets."""
HERE = ("in-memory", "sqlite", "sqlite3", "cron", "local.env", "local.file", "localstorage")
"""Ends of the types of components that need nothing else."""
OF_REDIS = {
    *("redishost", "redispassword", "redisusername", "redisdb", "redistype", "enabletls"),
    *("failover", "sentinelmastername", "sentinelusername", "sentinelpassword", "useentraid"),
    *("clientcert", "clientkey", "redisminretryinterval", "redismaxretries"),
}
MOST_DATABASES = 16


@dataclass
class Resources:
    """What was written.

    Attributes:
        folder: by namespace the folder with the copies.
        notes: what was replaced or left out, in words.
    """

    folder: dict[str, Path] = field(default_factory=dict)
    configurations: dict[tuple[str, str], Path] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def written(cluster: Cluster, spaces: Iterable[str], into: Path) -> Resources:
    """Write the resources of some namespaces; a file that has not changed is left alone.

    Raises:
        WrongManifest: a value of a Secret is not base64.
    """
    return _Writing(cluster, into).write(spaces)


class _Writing:
    def __init__(self, cluster: Cluster, into: Path) -> None:
        self.cluster, self.into = cluster, into
        self.done = Resources()
        self.databases: dict[str, int] = {}
        self.has_redis = _has_redis()

    def write(self, spaces: Iterable[str]) -> Resources:
        for space in spaces:
            files = {f"{d.kind}-{d.name}.yaml": self._copy(d, space) for d in self._of(space)}
            secrets = self._secrets(space)
            files |= {f"{SECRETS}.yaml": _store(SECRETS, space, secrets)} if secrets else {}
            self.done.folder[space] = self._keep(
                space, {n: _dumped(one) for n, one in files.items() if one}
            )
            self._configurations(space)
        return self.done

    def _of(self, space: str) -> list[Document]:
        mine = [d for d in self.cluster.documents if self.cluster.space(d) == space]
        return [d for d in mine if d.group == GROUP and d.kind in READ]

    def _copy(self, document: Document, space: str) -> dict[str, Any] | None:
        made = _plain(document)
        made.setdefault("metadata", {})["namespace"] = space
        return self._standing_in(made, document) if document.kind == "Component" else made

    def _standing_in(self, component: dict[str, Any], document: Document) -> dict[str, Any] | None:
        """A component on what this lab has; None where it has nothing for it."""
        category, _, rest = kind(component).partition(".")
        if rest == "redis" and self.has_redis:
            return self._on_redis(component)
        if kind(component) == f"secretstores.{SECRETS}":
            file = self._secrets(self.cluster.space(document))
            return _store(name(component), self.cluster.space(document), file) if file else None
        if rest.endswith(HERE):
            return component
        if category == "state" and (rest in SUITED or rest == "redis"):
            return self._on_sqlite(component, document)
        how = "it cannot hold workflows, and " if rest in UNSUITED else ""
        self._say(document, f"is left out: {how}this lab has no {kind(component)}")
        return None

    def _on_redis(self, component: dict[str, Any]) -> dict[str, Any]:
        rows = component["spec"].get("metadata") or []
        given = {str(r.get("name")).lower(): str(r.get("value")) for r in rows}
        host = f"{given.get('redishost', 'a secret')}/{given.get('redisdb', '0')}"
        number = self.databases.setdefault(host, len(self.databases) % MOST_DATABASES)
        own = [
            {"name": "redisHost", "envRef": redis.HOST_VARIABLE},
            {"name": "redisPassword", "envRef": redis.PASSWORD_VARIABLE},
            {"name": "redisDB", "value": str(number)},
        ]
        kept = [r for r in rows if str(r.get("name")).lower() not in OF_REDIS]
        component["spec"]["metadata"] = own + kept
        self._note(f"{host.rpartition('/')[0]}: the lab's own Redis stands in, database {number}")
        return component

    def _on_sqlite(self, component: dict[str, Any], document: Document) -> dict[str, Any]:
        spec, space = component["spec"], self.cluster.space(document)
        kept = [r for r in spec.get("metadata") or [] if _is_of_dapr(str(r.get("name")))]
        file = {"name": "connectionString", "value": f"{space}-{name(component)}.sqlite"}
        self._say(document, f"is kept in SQLite: this lab has no {kind(component)}")
        spec |= {"type": "state.sqlite", "version": "v1"}
        spec["metadata"] = [file, {"name": "busyTimeout", "value": "10s"}, *kept]
        component.pop("auth", None)
        return component

    # --- secrets and configurations ---------------------------------------------------------------

    def _secrets(self, space: str) -> Path | None:
        """The file with the Secrets of a namespace; None where there are none."""
        mine = [d for d in self.cluster.of_kind("Secret") if self.cluster.space(d) == space]
        if not mine:
            return None
        held = {d.name: dict(self.cluster.data("Secret", space, d.name) or {}) for d in mine}
        file = self.into / f"{space}.secrets.json"
        _write(file, json.dumps(held, indent=1))
        return file

    def _configurations(self, space: str) -> None:
        mine = self.cluster.of_kind("Configuration", GROUP)
        found = {d.name: d for d in mine if self.cluster.space(d) == space}
        texts = {f"{n}.yaml": _dumped(self._configuration(d)) for n, d in found.items()}
        folder = self._keep(f"{space}.configurations", texts)
        self.done.configurations |= {(space, n): folder / f"{n}.yaml" for n in found}

    def _configuration(self, document: Document) -> dict[str, Any]:
        """A Configuration that names nothing outside of this machine."""
        made = _plain(document)
        spec = made.get("spec") or {}
        tracing = spec.get("tracing") or {}
        for key in ("zipkin", "otel"):
            if tracing.pop(key, None) is not None:
                self._say(document, f"tracing.{key} is left out: no such address is asked")
        for key, why in (("nameResolution", "the lab has its own"), ("mtls", "it is off in a lab")):
            if spec.pop(key, None) is not None:
                self._say(document, f"{key} is left out: {why}")
        return made

    def _keep(self, folder: str, files: Mapping[str, str]) -> Path:
        """Let a folder hold these files and no others."""
        here = paths.own(self.into / folder)
        for old in here.iterdir():
            if old.name not in files:
                old.unlink()
        for file, text in files.items():
            _write(here / file, text)
        return here

    def _say(self, document: Document, what: str) -> None:
        self._note(f"{document.kind} {document.name} ({place(document.where)}) {what}")

    def _note(self, text: str) -> None:
        if text not in self.done.notes:
            self.done.notes.append(text)


def _is_of_dapr(row: str) -> bool:
    """Whether a row of metadata is the runtime's own, whatever the store is."""
    return row.lower() in ("actorstatestore", "keyprefix") or row.lower().startswith("outbox")


def _store(store: str, space: str, file: Path | None) -> dict[str, Any]:
    """The secrets of a namespace as the store by which components and apps ask for them."""
    rows = {"secretsFile": str(file), "multiValued": "true"}
    return {
        "apiVersion": f"{GROUP}/v1alpha1",
        "kind": "Component",
        "metadata": {"name": store, "namespace": space},
        "spec": {
            "type": "secretstores.local.file",
            "version": "v1",
            "metadata": [{"name": n, "value": v} for n, v in rows.items()],
        },
    }


def _plain(document: Document) -> dict[str, Any]:
    """A document as Python has it, with its numbers and truths.

    Raises:
        WrongManifest: a value is of a kind that no manifest has.
    """
    construct: Callable[[Any], Any] = yaml.SafeLoader("").construct_document
    try:
        made: dict[str, Any] = construct(document.body.node)
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        where = f"{document.body.file}:{mark.line + 1}" if mark else document.where
        raise wrong(where, "it is not YAML as manifests are", str(problem), "correct it") from None
    secret = any(r.get("secretKeyRef") for r in _rows(made) if isinstance(r, dict))
    if document.kind == "Component" and secret and not (made.get("auth") or {}).get("secretStore"):
        made["auth"] = {"secretStore": SECRETS}  # the default of a cluster
    return made


def _rows(component: Component) -> list[Any]:
    spec = component.get("spec")
    rows = spec.get("metadata") if isinstance(spec, dict) else None
    return rows if isinstance(rows, list) else []


def _dumped(document: Mapping[str, Any]) -> str:
    return yaml.safe_dump(document, sort_keys=False)


def _write(file: Path, text: str) -> None:
    """Write a file for this user only, unless it holds this text: its time says when it changed."""
    if not (file.is_file() and file.read_text("utf-8") == text):
        new = paths.write_private(file.with_name(f"{file.name}.new"), text)
        new.replace(file)


def _has_redis() -> bool:
    try:
        redis.redis_server()
    except redis.NoRedis:
        return False
    return True
