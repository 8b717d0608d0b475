"""YAML as parts that know their lines; knows nothing of Dapr.

A part is a node of PyYAML that is looked into and never turned into objects: an alias stays a
reference, so that a file of nested aliases costs no more than its length, and each part still
knows the line to point at. Values are text, as they are written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from labkit.reading import yamltree

_NULL = "tag:yaml.org,2002:null"


@dataclass(frozen=True)
class Part:
    """A value in a file.

    Attributes:
        line: of the key, for a value under a key; of the enclosing value when it is not there.
        node: None when it is not there.
    """

    file: Path
    line: int
    node: yaml.Node | None = None

    def __bool__(self) -> bool:
        return self.node is not None and self.node.tag != _NULL

    @property
    def where(self) -> str:
        """``file:line``."""
        return f"{self.file}:{self.line}"

    @property
    def text(self) -> str:
        """A single value as it is written; "" for null, a list or a map."""
        is_text = bool(self) and isinstance(self.node, yaml.ScalarNode)
        return str(self.node.value) if is_text and self.node else ""

    @property
    def is_text(self) -> bool:
        """Whether it is a text to YAML; ``true`` and ``8080`` without quotes are none."""
        return isinstance(self.node, yaml.ScalarNode) and self.node.tag.endswith(":str")

    @property
    def items(self) -> list[Part]:
        """The items of a list; none for anything else."""
        if not isinstance(self.node, yaml.SequenceNode):
            return []
        return [Part(self.file, _line(item), item) for item in self.node.value]

    @property
    def distinct(self) -> list[Part]:
        """The items of a list, one that an alias repeats only once."""
        return list({id(item.node): item for item in self.items}.values())

    @property
    def keys(self) -> list[tuple[str, Part]]:
        """Keys and values of a map as they stand there, also one that stands twice."""
        if not isinstance(self.node, yaml.MappingNode):
            return []
        return [(_text(k), Part(self.file, _line(k), v)) for k, v in self.node.value]

    def get(self, *keys: str) -> Part:
        """Return the value under keys within keys; of a key that stands twice the last."""
        part = self
        for key in keys:
            part = part._value(key)
        return part

    def _value(self, key: str) -> Part:
        found = yamltree.find(self.node, key)
        if found is None:
            return Part(self.file, self.line)
        return Part(self.file, _line(found[0]), found[1])


def documents(file: Path, data: bytes) -> Iterator[Part]:
    """Yield the documents of a file that are not empty.

    Raises:
        NotYaml: from there on it is not valid YAML, or beyond the bounds.
    """
    for node in yamltree.documents(data):
        yield Part(file, _line(node), node)


def wrong_key(document: Part) -> tuple[str | None, Part] | None:
    """Return a key that stands twice in one map, at its second place; None for a key that is a map.

    A map as a key is what ``{{ name }}`` of a template looks like.
    """
    waiting, seen = [document.node], set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) in seen or not isinstance(node, yaml.CollectionNode):
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
            continue
        names = set[str]()
        for key, value in node.value:
            name, place = _text(key), Part(document.file, _line(key), value)
            if not isinstance(key, yaml.ScalarNode):
                return None, place
            if name in names and name != "<<":
                return name, place
            names.add(name)
            waiting.append(value)
    return None


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _text(key: yaml.Node) -> str:
    return str(key.value) if isinstance(key, yaml.ScalarNode) else ""
