"""YAML as Go's yaml.v2 reads it: each expected value was measured with yaml.v2 2.4.0."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.reading import yamltree
from labkit.reading.yamltree import NotYaml, documents, find


def root(text: str) -> yaml.Node:
    return next(documents(text.encode()))


def value(text: str, key: str) -> str | None:
    found = find(root(text), key)
    return found[1].value if found else None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("k: a\n<<: {k: b}\n", "b"),
        ("<<: {k: b}\nk: a\n", "a"),
        ("<<: [{k: a}, {k: b}]\n", "a"),
        ("x: &x {k: a}\ny: &y {<<: *x, k: b}\n<<: *y\n", "b"),
        ("x: &x {k: a}\ny: &y {k: b, <<: *x}\n<<: *y\n", "a"),
        ("x: &x {k: a}\n<<: *x\nz: {}\n<<: {k: b}\n", "b"),
        ('"<<": {k: a}\n', None),
        ("x: &a {k: a}\ny: &a {k: b}\n<<: *a\n", "b"),
        ("k: a\nk: b\n", "b"),
        ("k: 010\n", "010"),
        ("k: !Ref b\n", "b"),
        ("? {{name}}\n: x\nk: a\n", "a"),
    ],
)
def test_of_several_values_for_a_key_the_one_counts_that_yaml_v2_takes(text, wanted):
    assert value(text, "k") == wanted


@pytest.mark.parametrize(
    "data",
    [
        "k: ä\n".encode(),
        b"\xef\xbb\xbfk: \xc3\xa4\r\n",
        "k: ä\n".encode("utf-16"),
        "k:\tä\n".encode(),
        "%YAML 1.1\n---\nk: ä\n...\n".encode(),
    ],
    ids=["utf-8", "byte order mark", "utf-16", "tab", "directive"],
)
def test_every_encoding_of_yaml_is_read(data):
    assert find(next(documents(data)), "k")[1].value == "ä"


def test_a_document_is_read_although_the_next_one_is_broken():
    found = documents(b"a: 1\n---\nnot: [closed\n")
    assert find(next(found), "a")
    with pytest.raises(NotYaml):
        next(found)


KEYS = {"t": str, "i": int, "b": bool, "l": list, "m": dict, "u": None}
KEYS |= dict.fromkeys("xyz")
MAPS = """\
x: &a1 one
y: &a2 {A: two, t: three, i: 5}
z: &a3 {A: four, B: five, t: seven, b: yes, <<: *a2}
"""
NOTHING = {"t": "", "i": 0, "b": False, "l": [], "m": {}}


def decoded(text: str) -> dict[str, object] | None:
    """What we read; None where something is wrong, also with a value that another replaces."""
    wrong: list[yamltree.WrongNode] = []
    try:
        found = yamltree.pairs(root(MAPS + text), KEYS, "x", wrong)
    except NotYaml:
        return None
    given = {k: found[k].value for k in NOTHING if k in found and found[k].value is not None}
    return None if any(one.effect == "refused" for one in wrong) else {**NOTHING, **given}


def test_drawn_maps_are_decoded_as_yaml_v2_decoded_them():
    """Maps with merges, repeated keys and scalars of every form, and what Go made of them."""
    recorded = json.loads((Path(__file__).parents[1] / "data" / "yaml-v2.json").read_text())
    for row in recorded:
        assert decoded(row["text"]) == (None if row["error"] else row["values"]), row["text"]


def test_nothing_and_empty_documents():
    assert list(documents(b"# nothing\n")) == []
    assert [yamltree.is_null(one) for one in documents(b"---\n---\na: 1\n")] == [True, False]


@pytest.mark.parametrize(
    ("data", "line", "column", "words"),
    [
        (b"a: [\n", 2, 1, "did not find expected node content"),
        (b"a:\n\tb: 1\n", 2, 1, "a tab cannot be used here"),
        (b"a: 1\nb: \xff\n", 2, 1, "not valid YAML"),
        (b"a: \0\n", 1, 1, "not valid YAML"),
        (b"a: *b\n", 1, 4, "no anchor &b"),
        (b"a: &a [*a]\n", 1, 8, "inside its own anchor"),
        (b'a: "\\ud800"\n', 1, 7, "not valid YAML"),
    ],
)
def test_what_is_not_valid_is_named_with_line_and_column(data, line, column, words):
    with pytest.raises(NotYaml) as caught:
        list(documents(data))
    assert (caught.value.line, caught.value.column) == (line, column)
    assert words in caught.value.what
    assert not caught.value.is_bound


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 100_000, "nested more than 200 deep"),
        ("{a: " * 5000 + "}" * 5000, "nested more than 200 deep"),
        ("- " * 5000, "nested more than 200 deep"),
        ("[" + "1," * 400_000 + "]", "more than 200,000 values"),
        ("x" * 4_000_001, "larger than 4 MB"),
    ],
    ids=["lists", "maps", "blocks", "values", "size"],
)
def test_what_is_too_deep_too_many_or_too_large_is_refused(text, words):
    with pytest.raises(NotYaml) as caught:
        list(documents(text.encode()))
    assert words in caught.value.what
    assert caught.value.is_bound


def test_a_depth_that_real_manifests_have_is_read():
    text = "".join(f"{'  ' * depth}k:\n" for depth in range(150))
    assert find(root(text), "k")


@pytest.mark.parametrize("width", [2, 10])
def test_nested_merges_cost_no_more_than_their_length(width):
    """Nine levels of ten would be a thousand million maps."""
    text = "m0: &m0 {k: a}\n"
    for n in range(1, 60):
        text += f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * width)}], k{n}: b}}\n"
    merged = find(root(text), "m59")[1]
    assert find(merged, "k")[1].value == "a"
    assert len(list(yamltree.backwards(merged))) == 60


def test_a_chain_of_merges_of_any_length_is_followed():
    text = "m0: &m0 {k: a}\n" + "".join(
        f"m{n}: &m{n} {{<<: *m{n - 1}}}\n" for n in range(1, 20_000)
    )
    assert find(find(root(text), "m19999")[1], "k")[1].value == "a"


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)


@settings(deadline=None)
@given(TREES)
def test_what_pyyaml_writes_has_the_same_shape_and_tags_as_pyyaml_composes(tree):
    text = yaml.safe_dump(tree)
    assert shape(root(text)) == shape(yaml.compose(text, Loader=yaml.SafeLoader))


def shape(node: yaml.Node) -> object:
    if isinstance(node, yaml.MappingNode):
        return node.tag, [(shape(k), shape(v)) for k, v in node.value]
    if isinstance(node, yaml.SequenceNode):
        return node.tag, [shape(one) for one in node.value]
    return node.tag, node.value, node.start_mark.line


@settings(deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda t: t.encode("utf-8", "replace")))
def test_any_bytes_are_read_or_refused_and_nothing_else_is_raised(data):
    with suppress(NotYaml):
        list(documents(data))
