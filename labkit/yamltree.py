"""YAML values that know their line, read as Go's ``yaml.v2`` reads them into the CLI's structures.

Where a text is wanted, a scalar counts as it is written: ``yes`` stays ``yes``, ``010`` stays
``010``. Only the first document counts, a merge key (``<<``) takes effect where it stands, and of
a repeated key the last one counts. Python's own YAML reader differs in each of these.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

_TRUE = {f(w) for w in ("y", "yes", "true", "on") for f in (str.lower, str.title, str.upper)}
_FALSE = {f(w) for w in ("n", "no", "false", "off") for f in (str.lower, str.title, str.upper)}
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS = {
    str: "{key}: TEXT",
    int: "{key}: NUMBER, a whole number",
    bool: "{key}: true or {key}: false",
    list: "{key}: [VALUE, VALUE]",
    dict: "{key}: {{NAME: value}}",
}


class WrongNode(Exception):
    """Something in the tree is not as it must be: what, where, and how to fix it."""

    def __init__(self, what: str, node: yaml.Node, fix: str) -> None:
        super().__init__(what)
        self.what, self.node, self.fix = what, node, fix

    @property
    def line(self) -> int:
        """The line of the node, counted from 1."""
        return int(self.node.start_mark.line) + 1


@dataclass(frozen=True)
class Given:
    """A value with the place where it stands; None when the file says null."""

    value: Any
    node: yaml.Node

    @property
    def items(self) -> list[tuple[Any, yaml.Node]]:
        """The items of a list, each with its place."""
        return list(zip(self.value or [], self.node.value, strict=False))


def first_document(text: str) -> yaml.Node | None:
    """Return the root of the first document; what follows it is not even looked at.

    Raises:
        yaml.YAMLError, ValueError: it is not valid YAML.
    """
    return next(iter(yaml.compose_all(text, Loader=yaml.SafeLoader)), None)


def pairs(node: yaml.Node | None, keys: Mapping[str, type | None], where: str) -> dict[str, Given]:
    """Return the values of a map.

    Args:
        keys: the keys it may have, each with the type of its value; None takes any node as it is.
        where: how to call the map in a message.

    Raises:
        WrongNode: it is no map, has another key, or a value of another type.
    """
    if node is None or is_null(node):
        return {}
    if not isinstance(node, yaml.MappingNode):
        raise WrongNode(f"{where} is not a map of keys", node, "write it as key: value lines")
    found: dict[str, Given] = {}
    for key_node, value_node in _merged(node):
        key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "?"
        if key not in keys:
            near = difflib.get_close_matches(key, keys, 1, 0.5)
            fix = f"write {near[0]}" if near else f"remove it, or use: {', '.join(keys)}"
            raise WrongNode(f"{where} has no key {key!r}", key_node, fix)
        kind = keys[key]
        value = None if kind is None else _value(value_node, kind, key)
        found[key] = Given(value, value_node)
    return found


def is_null(node: yaml.Node) -> bool:
    """Whether the file says nothing, ``null`` or ``~``."""
    return str(node.tag).endswith(":null")


def _merged(node: yaml.MappingNode) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    for key, value in node.value:
        if not key.tag.endswith(":merge"):
            yield key, value
            continue
        # Of several merged maps the first wins, so it comes last.
        parts = value.value[::-1] if isinstance(value, yaml.SequenceNode) else [value]
        for part in parts:
            if not isinstance(part, yaml.MappingNode):
                raise WrongNode("<< does not name a map", part, "name a map, or a list of maps")
            yield from _merged(part)


def _value(node: yaml.Node, kind: type, key: str) -> Any:
    if is_null(node):
        return None
    read = {str: _text, int: _whole, bool: _truth, list: _texts, dict: _map}[kind](node)
    if read is None:
        raise WrongNode(f"{key} is {_shown(node)}", node, f"write {_WORDS[kind].format(key=key)}")
    return read


def _text(node: yaml.Node) -> str | None:
    if not isinstance(node, yaml.ScalarNode):
        return None
    if is_null(node):
        return ""
    if not node.tag.endswith(":binary"):
        return str(node.value)
    try:
        return base64.b64decode(node.value).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def _whole(node: yaml.Node) -> int | None:
    if not isinstance(node, yaml.ScalarNode) or node.style or node.value.startswith("_"):
        return None
    plain = str(node.value).replace("_", "")
    for base in (0, 8):  # 010 is octal; 080 is none, and so a decimal
        try:
            return _in_range(int(plain, base))
        except ValueError:
            pass
    if not _FLOAT.fullmatch(plain) or not math.isfinite(float(plain)):
        return None
    return _in_range(int(float(plain)))


def _in_range(value: int) -> int | None:
    return value if -(2**63) <= value < 2**63 else None


def _truth(node: yaml.Node) -> bool | None:
    if not isinstance(node, yaml.ScalarNode) or node.style:
        return None
    return True if node.value in _TRUE else False if node.value in _FALSE else None


def _texts(node: yaml.Node) -> list[str] | None:
    if not isinstance(node, yaml.SequenceNode):
        return None
    return [_required_text(n, "an item of the list") for n in node.value]


def _map(node: yaml.Node) -> dict[str, str] | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return {
        (name := _required_text(k, "a name")): _required_text(v, name) for k, v in _merged(node)
    }


def _required_text(node: yaml.Node, what: str) -> str:
    text = _text(node)
    if text is None:
        raise WrongNode(f"{what} is {_shown(node)}", node, "write it as one text")
    return text


def _shown(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return repr(str(node.value)[:40])
    return "a list" if isinstance(node, yaml.SequenceNode) else "a map"
