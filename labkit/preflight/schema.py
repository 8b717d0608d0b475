"""Dapr's own kinds against the schemas that Dapr ships for them (``crds/``).

In a cluster the API server refuses what does not fit. A sidecar of a run file reads the same files
itself and is less strict (dapr/dapr v1.18.1, pkg/internal/loader/disk/manifest.go:127): it takes
any single value for a text, and asks for hardly any key; of a WorkflowAccessPolicy it asks
everything (pkg/runtime/workflowaccesspolicy.go:58).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from labkit.preflight.findings import Finding, State
from labkit.preflight.model import BY_KIND_ALONE, GROUP, App, Document, Manifests, is_placeholder
from labkit.preflight.parts import Part

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

CRDS = Path(__file__).with_name("crds")
FILES = {
    "Component": "components",
    "Configuration": "configuration",
    "Resiliency": "resiliency",
    "Subscription": "subscription",
    "WorkflowAccessPolicy": "workflowaccesspolicy",
}
CATEGORIES = (
    *("bindings", "configuration", "conversation", "crypto", "lock", "middleware", "pubsub"),
    *("secretstores", "state"),
)
"""What the type of a component may begin with (pkg/runtime/processor/processor.go:233)."""
TOP = ("scopes", "auth")
KEPT = ("type", "enum", "minLength", "minItems", "required")
RULES = {
    "(has(self.workflows) && size(self.workflows) > 0) || (has(self.activities) && "
    "size(self.activities) > 0)": {
        "anyOf": [
            {"required": [key], "properties": {key: {"minItems": 1}}}
            for key in ("workflows", "activities")
        ]
    }
}
"""The rules in Kubernetes' own language that are in Dapr's files, in that of JSON Schema."""
WORDS = {"object": "a map", "array": "a list", "string": "a text", "integer": "a whole number"}
WORDS |= {"boolean": "true or false", "number": "a number"}
NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
MOST_DOCUMENTS, MOST_VALUES, MOST_FINDINGS = 2_000, 20_000, 10
Json = Any


def problems(read: Manifests) -> Iterator[Finding]:
    """Say where a document of Dapr does not fit; such a document is marked as refused."""
    mine = [d for d in read.documents if d.kind in FILES and _is_dapr(d)]
    if len(mine) > MOST_DOCUMENTS:
        why = f"{len(mine)} documents of Dapr; only the first {MOST_DOCUMENTS} were checked"
        yield _finding("cannot be known", mine[MOST_DOCUMENTS].where, why, "name fewer at a time")
    for document in mine[:MOST_DOCUMENTS]:
        found = _checked(document, read)
        if any(f.state == "broken" for f in found):
            read.refused.add(id(document))
        yield from found


def _checked(document: Document, read: Manifests) -> list[Finding]:
    """Judge a document by who reads it; what only a cluster refuses may be for a sidecar."""
    if document.real in read.local or not document.is_named:
        return [*_head(document, is_local=True), *_body(document, is_local=True)]
    found = [*_head(document, is_local=False), *_body(document, is_local=False)]
    if _is_applied(document, read) or not any(f.state == "broken" for f in found):
        return found
    both = [*_head(document, is_local=True), *_body(document, is_local=True)]
    if any(f.state == "broken" for f in both):
        return found
    return [replace(f, state="cannot be known") if f.state == "broken" else f for f in found]


def _is_applied(document: Document, read: Manifests) -> bool:
    """Whether it is for a cluster: apps of one are near, and of a Configuration one that asks."""
    apps = [a for a in read.apps if a.is_in_cluster]
    if document.kind == "Configuration":
        return any(a.config == document.name for a in apps)
    return any(_is_near(a, document) for a in apps)


def _is_near(app: App, document: Document) -> bool:
    """Whether an app is below the folder above a document: ``deploy`` beside ``components``.

    What stands elsewhere in a repository may be for another project, and for sidecars without a
    cluster, which miss less.
    """
    above = Path(document.real).parent.parent
    return above in Path(app.real).parents


def _is_dapr(document: Document) -> bool:
    """Other projects have kinds of these names, too; without any group its content tells."""
    if document.api_version:
        return document.group == GROUP
    spec = document.body.get("spec")
    marks = {"Component": document.type.partition(".")[0] in CATEGORIES}
    marks |= {"Resiliency": bool(spec.get("policies") and spec.get("targets"))}
    marks |= {"Subscription": bool(spec.get("pubsubname")), "WorkflowAccessPolicy": True}
    return marks.get(document.kind, False)


# --- apiVersion, name, type -----------------------------------------------------------------------


def _head(document: Document, is_local: bool) -> Iterator[Finding]:
    kind, body = document.kind, document.body
    known = [f"{GROUP}/{version}" for version in _versions(kind)]
    by_kind = is_local and kind in BY_KIND_ALONE
    if document.api_version not in known and not by_kind:
        at = body.get("apiVersion")
        what = f"its apiVersion is {document.api_version}" if at else "it has no apiVersion"
        fix = f"write apiVersion: {' or '.join(known)}"
        yield _broken(at, kind, f"{what}, so {_refused(kind, is_local)}", fix)
    name = body.get("metadata", "name")
    if not name.text and not (by_kind or body.get("metadata", "generateName")):
        why = f"it has no metadata.name, so {_refused(kind, is_local)}"
        yield _broken(name, kind, why, "give it a name")
    elif not (is_local or NAME.fullmatch(name.text or "x") or is_placeholder(name.text)):
        why = f"the name {name.text!r} is not one of Kubernetes, so {_refused(kind, is_local)}"
        yield _broken(name, kind, why, "use small letters, digits, - and . only")
    given = body.get("spec", "type")
    ignores = body.get("spec", "ignoreErrors").text == "true"
    is_known = not given.text or _has_category(given.text) or is_placeholder(given.text)
    if kind == "Component" and not (ignores or is_known):
        why = f"Dapr has no component of type {given.text}; each sidecar that sees it ends"
        yield _broken(given, kind, why, _type_near(given.text))


def _type_near(text: str) -> str:
    """What a type may have been meant to be: ``statestore.redis`` for ``state.redis``."""
    first, _, rest = text.partition(".")
    longer = [c for c in CATEGORIES if first.startswith(c) or c.startswith(first)] if first else []
    near = longer or get_close_matches(first, CATEGORIES, 1, 0.8)
    if near and rest:
        return f"did you mean {near[0]}.{rest}?"
    return f"begin it with one of: {', '.join(f'{c}.' for c in CATEGORIES)}"


def _has_category(text: str) -> bool:
    return any(text.startswith(f"{category}.") for category in CATEGORIES)


def _refused(kind: str, is_local: bool) -> str:
    if not is_local:
        return "Kubernetes refuses it"
    return "the sidecar ends" if kind == "Configuration" else "the sidecar skips it"


# --- the rest -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Tree:
    """A document as plain values, with what knows its lines."""

    root: Part
    value: Json


def _body(document: Document, is_local: bool) -> Iterator[Finding]:
    try:
        value = _Reader().value(document.body)
    except (RecursionError, _TooMany):
        why = f"this {document.kind} has too many values, or refers to itself; it was not checked"
        yield Finding("schema", "cannot be known", document.where, why, "split it")
        return
    version = document.api_version.rpartition("/")[2] or "v1alpha1"
    validator = _validator(document.kind, version, is_local)
    tree = _Tree(document.body, value)
    errors = validator.iter_errors(value) if validator else ()
    found = dict.fromkeys(f for e in errors for f in _findings(e, tree, document.kind, is_local))
    yield from list(found)[:MOST_FINDINGS]


class _TooMany(Exception):
    """More values than are worth checking."""


class _Reader:
    """Turns nodes into plain values; what aliases repeat counts each time."""

    def __init__(self) -> None:
        self.known: dict[int, tuple[Json, int]] = {}
        self.open = set[int]()

    def value(self, part: Part) -> Json:
        """Return the value of a part.

        Raises:
            _TooMany: it is larger than is worth checking, or contains itself.
        """
        return self._read(part)[0]

    def _read(self, part: Part) -> tuple[Json, int]:
        key = id(part.node)
        if key in self.open:
            raise _TooMany
        if key not in self.known:
            if len(self.known) > MOST_VALUES:
                raise _TooMany
            self.open.add(key)
            self.known[key] = self._made(part)
            self.open.discard(key)
        if self.known[key][1] > MOST_VALUES:
            raise _TooMany
        return self.known[key]

    def _made(self, part: Part) -> tuple[Json, int]:
        if isinstance(part.node, yaml.MappingNode):
            # Kubernetes drops a null, and so does Go.
            read = {k: self._read(v) for k, v in _fields(part).items() if v}
            return {k: v for k, (v, _) in read.items()}, 1 + sum(n for _, n in read.values())
        if isinstance(part.node, yaml.SequenceNode):
            items = [self._read(item) for item in part.items]
            return [v for v, _ in items], 1 + sum(n for _, n in items)
        return _scalar(part), 1


def _fields(part: Part) -> dict[str, Part]:
    """Keys and values of a map, also of those that it merges."""
    found, waiting, seen = dict[str, Part](), [part], set[int]()
    while waiting:
        one = waiting.pop(0)
        if id(one.node) not in seen:
            seen.add(id(one.node))
            own = {key: value for key, value in one.keys if key != "<<"}
            found = {**own, **found}
            waiting += [*one.items, *(value for key, value in one.keys if key == "<<")]
    return found


def _scalar(part: Part) -> Json:
    tag = part.node.tag.rpartition(":")[2] if part.node else "null"
    if tag == "bool":
        return part.text.lower() in ("true", "yes", "on")
    # Numbers are looked at for their type only.
    return {"int": 0, "float": 0.5, "null": None}.get(tag, part.text)


def _findings(error: ValidationError, tree: _Tree, kind: str, is_local: bool) -> Iterator[Finding]:
    path = list(error.absolute_path)
    place, where = _at(tree.root, path), _shown(path)
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        for key in error.instance:
            if key not in known and not (is_local and key.lower() in map(str.lower, known)):
                yield _unknown(place.get(key), where, key, known)
        return
    what, fix = _what(error, where)
    why = f"this {kind} does not fit: {what}, so {_refused(kind, is_local)}"
    is_open = isinstance(error.instance, str) and is_placeholder(error.instance)
    yield _finding("cannot be known" if is_open else "broken", place.where, why, fix)


def _what(error: ValidationError, where: str) -> tuple[str, str]:
    given: Json = error.validator_value
    if error.validator == "type":
        wanted = given if isinstance(given, str) else given[0]
        return f"{where} is not {WORDS[wanted]}", f"write {WORDS[wanted]}"
    if error.validator == "required":
        missing = [key for key in given if key not in error.instance]
        return f"{where} has no {' and no '.join(missing)}", f"add {', '.join(missing)}"
    if error.validator == "enum":
        return f"{where} is {error.instance!r}", f"use one of: {', '.join(given)}"
    if error.validator == "anyOf":
        return f"{where} has neither workflows nor activities", "name at least one"
    return f"{where} is empty", "fill it, or remove what holds it"


def _unknown(place: Part, where: str, key: str, known: Sequence[str]) -> Finding:
    owner = f"{where} has"
    why = f"{owner} no key {key}: kubectl refuses it, and everything else passes over it"
    near = get_close_matches(key, known, 1)
    fix = f"did you mean {near[0]}?" if near else "remove it"
    fix = "write it at the top, beside spec" if key in TOP and where else fix
    return _finding("note", place.where, why, fix)


def _at(root: Part, path: Sequence[str | int]) -> Part:
    """The part at a path of keys and numbers."""
    for step in path:
        root = root.items[step] if isinstance(step, int) else root.get(step)
    return root


def _shown(path: Sequence[str | int]) -> str:
    words = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in path)
    return words.lstrip(".") or "it"


def _broken(place: Part, kind: str, what: str, fix: str) -> Finding:
    return _finding("broken", place.where, f"this {kind} does not count: {what}", fix)


def _finding(state: State, where: str, why: str, fix: str) -> Finding:
    return Finding("schema", state, where, why, fix)


# --- Dapr's files ---------------------------------------------------------------------------------


@cache
def _versions(kind: str) -> dict[str, Mapping[str, Json]]:
    """The schemas of a kind by version, as Dapr's file has them."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    crd = yaml.load((CRDS / f"{FILES[kind]}.yaml").read_bytes(), loader)
    versions = [v for v in crd["spec"]["versions"] if v["served"]]
    return {v["name"]: v["schema"]["openAPIV3Schema"] for v in versions}


@cache
def _validator(kind: str, version: str, is_local: bool) -> Draft202012Validator | None:
    # Loading it takes longer than loading Dapr's SDK, and each kernel with a lab loads this module.
    from jsonschema import Draft202012Validator

    schema = _versions(kind).get(version)
    if schema is None:
        return None
    is_lenient = is_local and kind != "WorkflowAccessPolicy"
    converted = converted_schema(schema, texts=is_local, keys=not is_lenient)
    if is_local and kind == "Configuration":
        # Where no cluster is, a header is one text, NAME=VALUE, and the sidecar ends at a map:
        # "cannot unmarshal !!map into string" (measured on 1.18.1).
        otel = converted["properties"]["spec"]["properties"]["tracing"]["properties"]["otel"]
        otel["properties"]["headers"]["items"] = {"type": ["string", "number", "boolean"]}
    if is_lenient and kind == "Component":
        converted["properties"]["spec"]["required"] = ["type"]
    return Draft202012Validator(converted)


def converted_schema(schema: Mapping[str, Json], *, texts: bool, keys: bool) -> dict[str, Json]:
    """Return a schema of Kubernetes in the language of JSON Schema.

    Args:
        texts: take any single value for a text.
        keys: ask for what is required.

    Raises:
        KeyError: it has a rule that is not known here.
    """
    found = {k: schema[k] for k in KEPT if k in schema and (keys or k == "type")}
    if texts and found.get("type") == "string":
        found["type"] = ["string", "number", "boolean"]
    inner = {k: converted_schema(v, texts=texts, keys=keys) for k, v in _properties(schema)}
    if inner:
        found["properties"] = inner
        found["additionalProperties"] = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    if "items" in schema:
        found["items"] = converted_schema(schema["items"], texts=texts, keys=keys)
    if isinstance(schema.get("additionalProperties"), dict):
        rest = schema["additionalProperties"]
        found["additionalProperties"] = converted_schema(rest, texts=texts, keys=keys)
    for rule in schema.get("x-kubernetes-validations", ()):
        found |= RULES[" ".join(rule["rule"].split())]
    return found


def _properties(schema: Mapping[str, Json]) -> Sequence[tuple[str, Mapping[str, Json]]]:
    return list(schema.get("properties", {}).items())
