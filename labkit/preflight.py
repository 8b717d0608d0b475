"""Reads manifests and says what a workflow over several apps needs and does not get.

Files only: nothing is started or asked. It knows ``dapr.yaml``, and Kubernetes YAML: Deployments
with Dapr annotations, Components, Configurations, Resiliency; what it does not know it leaves
alone. Three requirements are judged: one namespace, an actor state store that the hosting app may
see, and names that exist. A name is known only where the source of the workflow is given; so is
whether an app is called for activities only, and then it needs no store.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

TRUE = ("y", "yes", "true", "t", "on", "1")
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicaSet", "Pod")
State = Literal["holds", "broken", "cannot be known"]


@dataclass(frozen=True)
class Finding:
    """One answer.

    Attributes:
        requirement: ``namespace``, ``state store``, ``names`` or ``file``.
        where: ``file:line``, with a column for YAML that cannot be read.
        mend: what to change; empty when it holds.
    """

    requirement: str
    state: State
    where: str
    why: str
    mend: str = ""


@dataclass(frozen=True)
class Document:
    """One YAML document with the place where it begins."""

    file: Path
    line: int
    body: dict[str, Any]

    @property
    def where(self) -> str:
        """``file:line``."""
        return f"{self.file}:{self.line}"

    @property
    def kind(self) -> str:
        """``kind``, or "" where there is none."""
        return str(self.body.get("kind") or "")

    def meta(self, key: str, default: str = "") -> str:
        """A field of ``metadata`` as text."""
        return str(_map(self.body.get("metadata")).get(key) or default)


@dataclass(frozen=True)
class Call:
    """A remote call in a workflow's source; what is computed at run time is None.

    Attributes:
        kind: ``call_activity`` or ``call_child_workflow``.
        where: ``file:line``.
    """

    app_id: str | None
    name: str | None
    where: str
    kind: str


@dataclass(frozen=True)
class App:
    """An app that the manifests deploy."""

    app_id: str
    namespace: str
    where: str


@dataclass
class Manifests:
    """What was read: documents, apps, and files that could not be read."""

    documents: list[Document] = field(default_factory=list)
    apps: list[App] = field(default_factory=list)
    unreadable: list[Finding] = field(default_factory=list)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the findings; exit code 1 when something is broken."""
    parser = argparse.ArgumentParser(prog="./lab preflight", description=__doc__)
    parser.add_argument("path", nargs="+", type=Path, help="files or folders of manifests")
    what = "source of the workflow: which app IDs and names it calls"
    parser.add_argument("--source", type=Path, action="append", default=[], metavar="PY", help=what)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args(argv)
    missing = [p for p in [*options.path, *options.source] if not p.exists()]
    if missing:
        parser.error(f"there is no {', '.join(map(str, missing))}")
    found = inspect(options.path, options.source)
    if options.json:
        print(json.dumps({"findings": [asdict(f) for f in found]}))
    else:
        print("\n".join(_shown(f) for f in found))
    return 1 if any(f.state == "broken" for f in found) else 0


def inspect(manifests: Iterable[Path], sources: Iterable[Path] = ()) -> list[Finding]:
    """Return all findings on manifests and, where given, the sources of the workflow."""
    read = load(manifests)
    calls: list[Call] = []
    for source in sources:
        try:
            calls += calls_of(source)
        except (SyntaxError, ValueError) as problem:
            read.unreadable.append(_wrong_source(source, problem))
    found = [*read.unreadable, *_namespaces(read, calls), *_stores(read, calls)]
    return [*found, *_names(read, calls)]


def load(paths: Iterable[Path]) -> Manifests:
    """Read files and folders; what cannot be read becomes a finding with line and column."""
    read = Manifests()
    for file in _files(paths):
        try:
            _load(file, read)
        except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as problem:
            read.unreadable.append(_unreadable(file, problem))
    return read


def calls_of(source: Path) -> list[Call]:
    """Return the remote calls in a Python source.

    An app ID or name that is a constant of the module is looked up; what is computed is None.

    Raises:
        SyntaxError: it is no Python.
    """
    tree = ast.parse(source.read_text("utf-8"))
    constants = {
        t.id: n.value.value
        for n in tree.body
        if isinstance(n, ast.Assign) and isinstance(n.value, ast.Constant)
        for t in n.targets
        if isinstance(t, ast.Name)
    }
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        keywords = {k.arg: k.value for k in node.keywords}
        if node.func.attr in ("call_activity", "call_child_workflow") and "app_id" in keywords:
            first = node.args[0] if node.args else keywords.get("workflow")
            app_id, name = _text(keywords["app_id"], constants), _text(first, constants)
            found.append(Call(app_id, name, f"{source}:{node.lineno}", node.func.attr))
    return found


# --- the three requirements ----------------------------------------------------------------------


def _namespaces(read: Manifests, calls: list[Call]) -> Iterator[Finding]:
    if not read.apps:
        yield Finding("namespace", "cannot be known", "-", "no app with a Dapr app ID was found")
        return
    called = {c.app_id for c in calls if c.app_id}
    apps = [a for a in read.apps if not called or a.app_id in called] if calls else read.apps
    home = _home(read, called)
    for app in [a for a in apps if a is not home]:
        if app.namespace != home.namespace:
            yield Finding(
                "namespace",
                "broken",
                app.where,
                f"{app.app_id} is in namespace {app.namespace}, {home.app_id} in {home.namespace}; "
                "a workflow never leaves its namespace",
                f"set namespace: {home.namespace} in {app.where}",
            )
    if all(a.namespace == home.namespace for a in apps):
        yield Finding(
            "namespace", "holds", home.where, f"{len(read.apps)} apps, all in {home.namespace}"
        )


def _home(read: Manifests, called: set[str]) -> App:
    """The app that calls: the first that nobody calls, else the first."""
    return next((a for a in read.apps if called and a.app_id not in called), read.apps[0])


def _stores(read: Manifests, calls: list[Call]) -> Iterator[Finding]:
    stores = [d for d in read.documents if d.kind == "Component" and _type(d).startswith("state.")]
    actors = [d for d in stores if _is_actor_store(d)]
    for app in read.apps:
        seen = [d for d in actors if _may_see(app, d)]
        if len(seen) == 1:
            yield Finding(
                "state store", "holds", seen[0].where, f"{app.app_id} sees {seen[0].meta('name')}"
            )
        elif seen:
            names = ", ".join(d.meta("name") for d in seen)
            yield Finding(
                "state store",
                "broken",
                seen[1].where,
                f"{app.app_id} sees {len(seen)} actor state stores ({names}); its sidecar ends",
                f'set actorStateStore to "false" in {seen[1].where}, or hide it with scopes',
            )
        elif _has_activities_only(app, calls):
            why = f"{app.app_id} is called for activities only, and needs none (seen on 1.18.1)"
            yield Finding("state store", "holds", app.where, why)
        else:
            yield _no_store(app, stores, actors)


def _has_activities_only(app: App, calls: list[Call]) -> bool:
    kinds = {c.kind for c in calls if c.app_id == app.app_id}
    return kinds == {"call_activity"} and all(c.app_id for c in calls)


def _no_store(app: App, stores: list[Document], actors: list[Document]) -> Finding:
    for store in actors:
        namespace = store.meta("namespace", app.namespace)
        if namespace == app.namespace:
            return Finding(
                "state store",
                "broken",
                store.where,
                f"{store.meta('name')} is hidden from {app.app_id} by scopes",
                f"add {app.app_id} to scopes in {store.where}",
            )
    near = [s for s in stores if s.meta("namespace", app.namespace) == app.namespace]
    if near:
        return Finding(
            "state store",
            "broken",
            near[0].where,
            f"{app.app_id} has no actor state store; {near[0].meta('name')} is none. "
            "An app that hosts workflows needs one",
            f'add actorStateStore: "true" to the metadata in {near[0].where}',
        )
    if stores:
        return Finding(
            "state store",
            "broken",
            stores[0].where,
            f"{app.app_id} is in {app.namespace}, the state stores are in other namespaces",
            f'add a state store with actorStateStore "true" to namespace {app.namespace}',
        )
    return Finding(
        "state store",
        "cannot be known",
        app.where,
        f"no state store for {app.app_id} is in these files",
        "name the folder of its components, too",
    )


def _names(read: Manifests, calls: list[Call]) -> Iterator[Finding]:
    if not calls:
        yield Finding(
            "names", "cannot be known", "-",
            "activity and workflow names stand in code; name the source with --source",
        )  # fmt: skip
    known = {a.app_id for a in read.apps}
    for call in calls:
        app_id, name, where = call.app_id, call.name, call.where
        if app_id is None:
            yield Finding("names", "cannot be known", where, "the app ID is computed at run time")
        elif app_id not in known:
            yield Finding(
                "names",
                "broken",
                where,
                f"{name or 'a call'} goes to {app_id}, which no manifest deploys; "
                "the workflow would stay RUNNING",
                f"use one of: {', '.join(sorted(known)) or 'no app was found'}",
            )
        else:
            yield Finding(
                "names",
                "cannot be known",
                where,
                f"{app_id} is deployed; whether it has registered {name or 'the name'} "
                "is known to its code only",
            )


# --- reading -------------------------------------------------------------------------------------


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.suffix in (".yaml", ".yml"))
        else:
            yield path


def _load(file: Path, read: Manifests) -> None:
    text = file.read_text("utf-8")
    for node in yaml.compose_all(text, Loader=yaml.SafeLoader):
        if node is None:
            continue
        body = yaml.SafeLoader("").construct_document(node)
        line = node.start_mark.line + 1
        for one in _items(body):
            document = Document(file, line, one)
            read.documents.append(document)
            read.apps += _apps(document)


def _items(body: Any) -> list[dict[str, Any]]:
    """A document, or the items of a List."""
    if not isinstance(body, dict):
        return []
    if body.get("kind") == "List" and isinstance(body.get("items"), list):
        return [i for i in body["items"] if isinstance(i, dict)]
    return [body]


def _apps(document: Document) -> list[App]:
    body = document.body
    if "apps" in body and "version" in body and not document.kind:
        return _run_file_apps(document)
    if document.kind not in WORKLOADS:
        return []
    notes = _annotations(body)
    if str(notes.get("dapr.io/enabled", "")).lower() not in TRUE:
        return []
    app_id = str(notes.get("dapr.io/app-id") or document.meta("name"))
    return [App(app_id, document.meta("namespace", "default"), document.where)]


def _run_file_apps(document: Document) -> list[App]:
    shared = _map(_map(document.body.get("common")).get("env"))
    found = []
    for app in _list(document.body["apps"]):
        if isinstance(app, dict):
            env = {**shared, **_map(app.get("env"))}
            name = str(app.get("appID") or Path(str(app.get("appDirPath") or "?")).name)
            found.append(App(name, str(env.get("NAMESPACE") or "default"), document.where))
    return found


def _annotations(body: dict[str, Any]) -> dict[str, Any]:
    """The annotations of the pod template, wherever the kind keeps it; those of a pod itself."""
    spec = _map(body.get("spec"))
    for _ in range(2):  # a CronJob has a job template around the pod template
        template = _map(spec.get("template") or spec.get("jobTemplate"))
        notes = _map(_map(template.get("metadata")).get("annotations"))
        if notes:
            return notes
        spec = _map(template.get("spec"))
    return _map(_map(body.get("metadata")).get("annotations"))


def _type(component: Document) -> str:
    return str(_map(component.body.get("spec")).get("type") or "")


def _is_actor_store(component: Document) -> bool:
    rows = _list(_map(component.body.get("spec")).get("metadata"))
    values = {str(r.get("name")).lower(): r.get("value") for r in rows if isinstance(r, dict)}
    return str(values.get("actorstatestore", "")).lower() in TRUE


def _may_see(app: App, component: Document) -> bool:
    scopes = _list(component.body.get("scopes"))
    namespace = component.meta("namespace", app.namespace)
    return namespace == app.namespace and (not scopes or app.app_id in scopes)


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(node: ast.expr | None, constants: dict[str, Any]) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.Name):
        found = constants.get(node.id)
        return found if isinstance(found, str) else None
    return None


def _unreadable(file: Path, problem: Exception) -> Finding:
    mark = getattr(problem, "problem_mark", None)
    place = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else str(file)
    if b"{{" in file.read_bytes():
        why = "it is a template of Helm, not what Helm makes of it"
        return Finding(
            "file", "broken", place, why, "helm template CHART > all.yaml, and name that"
        )
    why = str(getattr(problem, "problem", None) or problem)
    return Finding("file", "broken", place, f"it is no YAML: {why}", "correct that line")


def _wrong_source(source: Path, problem: Exception) -> Finding:
    line = getattr(problem, "lineno", None) or 1
    place = f"{source}:{line}:{getattr(problem, 'offset', None) or 1}"
    return Finding("file", "broken", place, f"it is no Python: {problem}", "correct that line")


def _shown(finding: Finding) -> str:
    signs = {"holds": "✓", "broken": "✗", "cannot be known": "?"}
    line = f"{signs[finding.state]} {finding.requirement}: {finding.why}\n    {finding.where}"
    return f"{line}\n    mend  {finding.mend}" if finding.mend else line


if __name__ == "__main__":
    sys.exit(main())
