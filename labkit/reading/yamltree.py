"""YAML as nodes that know their line, read as Go's ``yaml.v2`` reads it into structures.

``yaml.v2`` (2.4.0) is what the Dapr CLI reads run files with; ``kubectl`` and the sidecar read
manifests with a fork of it (``sigs.k8s.io/yaml``). Where a text is wanted, a scalar counts as it is
written: ``yes`` stays ``yes``, ``010`` stays ``010``. A merge key (``<<``) takes effect where it
stands, of a repeated key or anchor the last one counts, and an alias inside its own anchor is
refused. PyYAML's composer differs in each of these, so only its parser is used; where it has
libyaml, of which ``yaml.v2`` is a port, that one.

An alias stays a reference, and a merged map is visited once, so nothing costs more than the length
of the file. Files that are too long, too deep or have too many values are refused.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import yaml

MOST_BYTES = 4_000_000
MOST_VALUES = 200_000
"""Keys, values, lists and maps of one file; 4 MB of real manifests have fewer."""
MOST_DEPTH = 200
MOST_KEYS = 1_000
"""Keys of a map, or items of a list, that are read one by one, with what is merged into it."""
MOST_TIMES = 10
"""How often one key may stand in a map, with what is merged into it."""
MOST_UNKNOWN, MOST_SHOWN = 10, 8
"""Unknown keys of one map that are reported."""
MOST_LETTERS = 100_000
"""Letters of one text: Linux gives a program no argument or variable of more than 128 KiB."""

_PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAGS = yaml.SafeLoader.yaml_implicit_resolvers
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

Effect = Literal["refused", "doubtful", "ignored"]
"""What ``dapr run -f`` does with what is wrong: refuse the file, go on in a way that may not be
meant, or not look at it."""


class NotYaml(yaml.MarkedYAMLError):
    """A text cannot be read as YAML, or not within the bounds.

    Attributes:
        problem: why, in a few words.
        line, column: where, counted from 1.
        is_bound: it may be valid YAML, but is longer or deeper than we read.
    """

    def __init__(self, problem: str, line: int, column: int, is_bound: bool = False) -> None:
        mark = yaml.Mark("", 0, line - 1, column - 1, None, 0)
        super().__init__(problem=problem, problem_mark=mark)
        self.line, self.column, self.is_bound = line, column, is_bound

    @property
    def what(self) -> str:
        """What is wrong, as a sentence."""
        return str(self.problem) if self.is_bound else f"it is not valid YAML: {self.problem}"

    @property
    def fix(self) -> str:
        """What to change."""
        if self.is_bound:
            return "split it, or make it simpler"
        return "put spaces in place of the tab" if "tab" in self.what else "correct that line"


class WrongNode(Exception):
    """Something in the tree is not as it must be: what, where, and how to fix it."""

    def __init__(self, what: str, node: yaml.Node, fix: str, effect: Effect = "refused") -> None:
        super().__init__(what)
        self.what, self.node, self.fix, self.effect = what, node, fix, effect

    @property
    def line(self) -> int:
        """The line of the node, counted from 1."""
        return line_of(self.node)


@dataclass(frozen=True)
class Given:
    """A value with the place where it stands; None when the file says null."""

    value: Any
    node: yaml.Node

    @property
    def items(self) -> list[tuple[Any, yaml.Node]]:
        """The items of a list, each with its place."""
        return list(zip(self.value or [], self.node.value, strict=False))


# --- a text becomes nodes -------------------------------------------------------------------------


def documents(data: bytes) -> Iterator[yaml.Node]:
    """Yield the root of each document, in UTF-8 or UTF-16; what follows one is read on demand.

    Raises:
        NotYaml: from there on it is not valid YAML, or beyond the bounds.
    """
    if len(data) > MOST_BYTES:
        raise NotYaml(f"it is larger than {MOST_BYTES // 1_000_000} MB", 1, 1, is_bound=True)
    composer = _Composer()
    try:
        for event in yaml.parse(data, Loader=_PARSER):
            root = composer.take(event)
            if root is not None:
                yield root
    except NotYaml:
        raise
    except (yaml.YAMLError, ValueError) as problem:
        raise _not_yaml(problem, data) from problem


def line_of(node: yaml.Node) -> int:
    """The line on which a node begins, counted from 1."""
    return int(node.start_mark.line) + 1


@dataclass
class _Composer:
    """Makes nodes of events, without recursion.

    Attributes:
        open: the collections that have begun, the innermost last.
        keys: for each of them the key whose value comes next; None for a list, or before a key.
    """

    values: int = 0
    anchors: dict[str, yaml.Node] = field(default_factory=dict)
    open: list[yaml.CollectionNode] = field(default_factory=list)
    keys: list[yaml.Node | None] = field(default_factory=list)

    def take(self, event: Any) -> yaml.Node | None:
        """Take one event; return the root of a document when it is whole."""
        if isinstance(event, yaml.ScalarEvent):
            return self._add(self._named(_scalar(event), event))
        if isinstance(event, yaml.CollectionStartEvent):
            self._begin(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self.keys.pop()
            return self._add(self.open.pop(), is_counted=False)
        elif isinstance(event, yaml.AliasEvent):
            return self._add(self._meant(event))
        elif isinstance(event, yaml.DocumentStartEvent):
            self.anchors = {}
        return None

    def _begin(self, event: Any) -> None:
        is_map = isinstance(event, yaml.MappingStartEvent)
        kind = yaml.MappingNode if is_map else yaml.SequenceNode
        tag = event.tag or f"tag:yaml.org,2002:{'map' if is_map else 'seq'}"
        node = kind(tag, [], event.start_mark, event.end_mark)
        self._count(node)
        if len(self.open) >= MOST_DEPTH:
            raise _too_much(f"it is nested more than {MOST_DEPTH} deep", node)
        self.open.append(self._named(node, event))
        self.keys.append(None)

    def _named(self, node: Any, event: Any) -> Any:
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def _meant(self, event: Any) -> yaml.Node:
        mark, node = event.start_mark, self.anchors.get(event.anchor)
        if node is None:
            raise NotYaml(f"no anchor &{event.anchor[:40]}", mark.line + 1, mark.column + 1)
        if any(node is one for one in self.open):
            what = f"the alias *{event.anchor[:40]} is inside its own anchor"
            raise NotYaml(what, mark.line + 1, mark.column + 1)
        return node

    def _add(self, node: yaml.Node, is_counted: bool = True) -> yaml.Node | None:
        if is_counted:
            self._count(node)
        if not self.open:
            return node
        parent, key = self.open[-1], self.keys[-1]
        if isinstance(parent, yaml.SequenceNode):
            parent.value.append(node)
        elif key is None:
            self.keys[-1] = node
        else:
            parent.value.append((key, node))
            self.keys[-1] = None
        return None

    def _count(self, node: yaml.Node) -> None:
        self.values += 1
        if self.values > MOST_VALUES:
            raise _too_much(f"it has more than {MOST_VALUES:,} values", node)


def _scalar(event: Any) -> yaml.ScalarNode:
    is_text = event.tag in ("!", "tag:yaml.org,2002:str")  # as if it had quotes
    style = "'" if is_text and not event.style else event.style
    return yaml.ScalarNode(_tag(event), event.value, event.start_mark, event.end_mark, style=style)


def _tag(event: Any) -> str:
    if event.tag and event.tag != "!":
        return str(event.tag)
    if event.implicit[0]:  # it has no quotes
        for tag, form in _TAGS.get(event.value[:1], ()):
            if form.match(event.value):
                return str(tag)
    return "tag:yaml.org,2002:str"


def _too_much(what: str, node: yaml.Node) -> NotYaml:
    return NotYaml(what, line_of(node), int(node.start_mark.column) + 1, is_bound=True)


def _not_yaml(problem: Exception, data: bytes) -> NotYaml:
    mark = getattr(problem, "problem_mark", None) or getattr(problem, "context_mark", None)
    what = getattr(problem, "problem", None) or getattr(problem, "reason", None)
    words = str(what or problem or type(problem).__name__).partition("\n")[0]
    if mark is None:
        before = data[: int(getattr(problem, "position", None) or 0)]
        return NotYaml(words, before.count(b"\n") + 1, 1)
    if "cannot start any token" in words and _at(data, mark) == "\t":
        words = "a tab cannot be used here"
    return NotYaml(words, mark.line + 1, mark.column + 1)


def _at(data: bytes, mark: Any) -> str:
    lines = data.decode("utf-8", "replace").lstrip("\ufeff").splitlines()
    return lines[mark.line][mark.column : mark.column + 1] if mark.line < len(lines) else ""


# --- looking into nodes ---------------------------------------------------------------------------


def is_null(node: yaml.Node) -> bool:
    """Whether the file says nothing, ``null`` or ``~``."""
    return str(node.tag).endswith(":null")


def find(node: yaml.Node | None, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    """Return a key of a map and its value, as they stand; None where it has no such key."""
    for key_node, value in backwards(node):
        if isinstance(key_node, yaml.ScalarNode) and key_node.value == key:
            return key_node, value
    return None


def backwards(
    node: yaml.Node | None, strange: Callable[[yaml.Node], None] = lambda node: None
) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    """Yield keys and values of a map from the last to the first, with what is merged into it.

    So of several values for a key the first that comes is the one that counts. Each merged map
    comes once; coming again it would change nothing.

    Args:
        strange: called with what is merged and is no map.
    """
    waiting: list[Any] = [node]
    seen = set[int]()
    while waiting:
        one = waiting.pop()
        if isinstance(one, tuple):
            if not one[0].tag.endswith(":merge"):
                yield one
            elif isinstance(one[1], yaml.SequenceNode):
                waiting += one[1].value[::-1]  # of several merged maps the first wins
            else:
                waiting.append(one[1])
        elif isinstance(one, yaml.MappingNode) and id(one) not in seen:
            seen.add(id(one))
            waiting += one.value
        elif one is not None and not isinstance(one, yaml.MappingNode):
            strange(one)


def plain(node: yaml.Node) -> Any:
    """Return a node as dicts, lists and texts, None for null; keys are texts.

    A node that aliases repeat is made once, so that nothing is written out.
    """
    return _Plain().value(node)


class _Plain:
    def __init__(self) -> None:
        self.made: dict[int, Any] = {}

    def value(self, node: yaml.Node) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return None if is_null(node) else str(node.value)
        if id(node) not in self.made:
            self.made[id(node)] = self._collection(node)
        return self.made[id(node)]

    def _collection(self, node: yaml.Node) -> Any:
        if isinstance(node, yaml.SequenceNode):
            return [self.value(one) for one in node.value]
        texts = [(k, v) for k, v in backwards(node) if isinstance(k, yaml.ScalarNode)]
        return {str(key.value): self.value(value) for key, value in reversed(texts)}


# --- values of a type -----------------------------------------------------------------------------


def pairs(
    node: yaml.Node | None, keys: Mapping[str, type | None], where: str, wrong: list[WrongNode]
) -> dict[str, Given]:
    """Return the values of a map that are as they must be; what is wrong is added to a list.

    Args:
        keys: the keys it may have, each with the type of its value; None takes any node as it is.
        where: how to call the map in a message.
    """
    if node is None or is_null(node):
        return {}
    if not isinstance(node, yaml.MappingNode):
        wrong.append(WrongNode(f"{where} is not a map of keys", node, "write key: value lines"))
        return {}
    known: dict[str, list[yaml.Node]] = {}
    unknown: list[yaml.Node] = []
    for key_node, value_node in _all_pairs(node, where, wrong):
        if isinstance(key_node, yaml.ScalarNode) and key_node.value in keys:
            known.setdefault(key_node.value, []).insert(0, value_node)
        else:
            unknown.append(key_node)
    wrong += _unknown(unknown[-MOST_UNKNOWN:], tuple(keys), set(known), where)
    given = {key: _given(nodes, keys[key], key, wrong) for key, nodes in known.items()}
    return {key: one for key, one in given.items() if one}


def _given(
    nodes: list[yaml.Node], kind: type | None, key: str, wrong: list[WrongNode]
) -> Given | None:
    """The value of a key that stands once or, with what is merged, several times.

    As in Go each of them must be right, the last one counts, and maps are joined.
    """
    if len(nodes) > MOST_TIMES:
        what = f"{key} stands {len(nodes)} times in one map"
        wrong.append(WrongNode(what, nodes[-1], "write it once", "doubtful"))
    given: Given | None = None
    for node in nodes[-MOST_TIMES:]:
        try:
            value = _value(node, kind, key)
        except WrongNode as one:
            wrong.append(one)
            given = None
            continue
        joined = {**(given.value or {}), **value} if given and isinstance(value, dict) else value
        given = Given(joined, node)
    return given


def _all_pairs(
    node: yaml.MappingNode, where: str, wrong: list[WrongNode]
) -> list[tuple[yaml.Node, yaml.Node]]:
    def strange(part: yaml.Node) -> None:
        wrong.append(WrongNode("<< does not name a map", part, "name a map, or a list of maps"))

    found: list[tuple[yaml.Node, yaml.Node]] = []
    for pair in backwards(node, strange):
        if len(found) == MOST_KEYS:
            what = f"{where} has more than {MOST_KEYS:,} keys"
            wrong.append(WrongNode(what, node, "remove those that are not needed", "doubtful"))
            break
        found.append(pair)
    return found


def _unknown(
    nodes: Iterable[yaml.Node], keys: tuple[str, ...], known: set[str], where: str
) -> list[WrongNode]:
    """Name keys that a map may not have; two of them are never advised to become the same one.

    Args:
        known: the keys that it has and may have.
    """
    nodes = list(nodes)
    texts = {str(n.value).lower() for n in nodes if isinstance(n, yaml.ScalarNode)}
    taken = known | {key for key in keys if key.lower() in texts}
    return [_unknown_key(node, keys, taken, where) for node in nodes]


def _unknown_key(node: yaml.Node, keys: tuple[str, ...], taken: set[str], where: str) -> WrongNode:
    if not isinstance(node, yaml.ScalarNode):  # Go cannot put a map where a name must be
        return WrongNode(f"{where} has {shown(node)} as a key", node, "write a name")
    near = _near(str(node.value)[:60], keys)
    if near in taken and near.lower() != str(node.value).lower():
        fix = "remove it"
    elif near:
        fix = f"write {near}"
    else:
        fix = f"remove it, or use: {', '.join(keys)}" if len(keys) <= MOST_SHOWN else "remove it"
    return WrongNode(f"{where} has no key {shown(node)}", node, fix, "ignored")


@lru_cache(maxsize=1000)
def _near(key: str, keys: tuple[str, ...]) -> str:
    return next(iter(difflib.get_close_matches(key, keys, 1, 0.5)), "")


def _value(node: yaml.Node, kind: type | None, key: str) -> Any:
    if kind is None or is_null(node):
        return None
    read = {str: _text, int: _whole, bool: _truth, list: _texts, dict: _map}[kind](node)
    if read is None:
        raise WrongNode(f"{key} is {shown(node)}", node, f"write {_WORDS[kind].format(key=key)}")
    return read


def _text(node: yaml.Node) -> str | None:
    if not isinstance(node, yaml.ScalarNode):
        return None
    if is_null(node):
        return ""
    text = _decoded(node) if node.tag.endswith(":binary") else str(node.value)
    if text is not None and "\0" in text:
        raise WrongNode("a text holds a zero byte", node, "remove it: no program can be given one")
    if text is not None and len(text) > MOST_LETTERS:
        what = f"a text has {len(text):,} letters"
        raise WrongNode(what, node, f"shorten it: a program takes {MOST_LETTERS:,} at most")
    return text


def _decoded(node: yaml.Node) -> str | None:
    try:
        return base64.b64decode(node.value).decode()
    except (binascii.Error, ValueError):
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
    if len(node.value) > MOST_KEYS:
        what = f"a list has {len(node.value):,} items"
        raise WrongNode(what, node, f"shorten it to {MOST_KEYS:,}", "doubtful")
    return [_required_text(n, "an item of the list") for n in node.value]


def _map(node: yaml.Node) -> dict[str, str] | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    wrong: list[WrongNode] = []
    found: dict[str, str] = {}
    for key, value in _all_pairs(node, "the map", wrong):
        name = _required_text(key, "a name")
        if name not in found:
            found[name] = _required_text(value, cut(name))
    if wrong:
        raise wrong[0]
    return dict(reversed(found.items()))


def _required_text(node: yaml.Node, what: str) -> str:
    text = _text(node)
    if text is None:
        raise WrongNode(f"{what} is {shown(node)}", node, "write it as one text")
    return text


def shown(node: yaml.Node) -> str:
    """A value as a message shows it, never longer than a line."""
    if isinstance(node, yaml.ScalarNode):
        return repr(cut(str(node.value)))
    return "a list" if isinstance(node, yaml.SequenceNode) else "a map"


def cut(text: str, most: int = 60) -> str:
    """A text of at most so many letters; what is left out is marked."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
