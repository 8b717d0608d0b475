"""The environment of a container, as the kubelet would make it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from labkit.manifests.cluster import Cluster
from labkit.manifests.wrong import WrongManifest, wrong
from labkit.preflight.model import is_true
from labkit.preflight.parts import Part

OF_THE_LAB = (
    *("SMTP_HOST", "SMTP_PORT", "REDIS_HOST", "REDIS_PASSWORD", "LEDGER", "APP_PORT", "NAMESPACE"),
    *("PATH", "HOME", "APP_ID", "PYTHONUNBUFFERED"),
)
"""Variables that say where something is on this machine; the lab's own values stay."""
KINDS = {"secretKeyRef": "Secret", "configMapKeyRef": "ConfigMap"}
SETS = {"secretRef": "Secret", "configMapRef": "ConfigMap"}
_REFERENCE = re.compile(r"\$\$|\$\(([-._a-zA-Z][-._a-zA-Z0-9]*)\)")


@dataclass(frozen=True)
class Variables:
    """The environment of a container.

    Attributes:
        values: name to value.
        replaced: names for which the lab has a value of its own.
        unknown: names whose value only a cluster knows.
    """

    values: Mapping[str, str]
    replaced: tuple[str, ...]
    unknown: tuple[str, ...]


def is_of_the_lab(name: str) -> bool:
    """Whether the lab gives a variable itself."""
    return name in OF_THE_LAB or name.startswith("DAPR_")


def variables_of(
    container: Part, space: str, cluster: Cluster, fields: Mapping[str, str]
) -> Variables:
    """Return the environment of a container.

    Args:
        fields: what ``fieldRef`` may ask for, by its path.

    Raises:
        WrongManifest: it names a Secret or ConfigMap, or a key in one, that is not there; a value
            that is not a text.
    """
    values, unknown = dict(_of_sets(container, space, cluster)), list[str]()
    for item in container.get("env").items:
        name, value = item.get("name").text, _value(item, space, cluster, fields)
        if value is None:
            unknown += [] if _is_optional(item) else [name]
        else:
            values[name] = expanded(value, values)
    replaced = tuple(n for n in values if is_of_the_lab(n))
    kept = {n: v for n, v in values.items() if not is_of_the_lab(n)}
    return Variables(kept, replaced, tuple(n for n in unknown if not is_of_the_lab(n)))


def expanded(text: str, values: Mapping[str, str]) -> str:
    """Put variables that stand before into ``$(NAME)``; one that is not there stays as it is.

    >>> expanded("$(A)-$(B)-$$(A)", {"A": "1"})
    '1-$(B)-$(A)'
    """

    def put(found: re.Match[str]) -> str:
        if found[1] is None:
            return "$"
        return values.get(found[1], found[0])

    return _REFERENCE.sub(put, text)


def _of_sets(container: Part, space: str, cluster: Cluster) -> Iterator[tuple[str, str]]:
    for item in container.get("envFrom").items:
        for key, kind in SETS.items():
            source = item.get(key)
            if source:
                held = cluster.data(kind, space, source.get("name").text)
                if held is None and not is_true(source.get("optional").text):
                    raise _missing(source, kind, space)
                prefix = item.get("prefix").text
                yield from ((prefix + name, value) for name, value in (held or {}).items())


def _value(item: Part, space: str, cluster: Cluster, fields: Mapping[str, str]) -> str | None:
    given = item.get("value")
    if given and not given.is_text:
        fix = f'write value: "{given.text}"'
        raise wrong(given.where, "a value is not a text", "Kubernetes takes texts only", fix)
    source = item.get("valueFrom")
    if not source:
        return given.text
    asked = next((key for key in KINDS if source.get(key)), None)
    if asked is None:
        return fields.get(source.get("fieldRef", "fieldPath").text)
    return _held(source.get(asked), KINDS[asked], space, cluster.data)


def _held(
    asked: Part, kind: str, space: str, data: Callable[[str, str, str], Mapping[str, str] | None]
) -> str | None:
    held = data(kind, space, asked.get("name").text)
    key = asked.get("key").text
    if held is not None and key in held:
        return held[key]
    if is_true(asked.get("optional").text):
        return None
    raise _missing(asked, kind, space)


def _is_optional(item: Part) -> bool:
    return any(is_true(item.get("valueFrom", key, "optional").text) for key in KINDS)


def _missing(asked: Part, kind: str, space: str) -> WrongManifest:
    name, key = asked.get("name").text, asked.get("key").text
    of = f"the key {key!r} of " if key else ""
    found = f"{of}the {kind} {name!r} is not in namespace {space}; its pod would wait for it"
    fix = f"add the {kind} to the folder, or write optional: true"
    return wrong(asked.where, f"no {kind} with this name and key", found, fix)
