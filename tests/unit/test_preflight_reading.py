"""Any input is read or told: files that are closed, broken, huge, templates, or not manifests."""

from __future__ import annotations

import os
from contextlib import suppress

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.preflight import inspect
from labkit.reading import plainfile
from tests.support.manifests import about, app, broken, line_of, store, write


def test_many_documents_helm_comments_lists_and_other_kinds_are_read(tmp_path):
    text = (
        "---\n# Source: chart/templates/one.yaml\n" + app("one") + "---\n---\n# nothing\n---\n"
        + store() + "---\nkind: Service\nmetadata: {name: x}\n---\njust text\n---\n- a\n"
        + "---\nkind: List\nitems:\n- " + app("two").replace("\n", "\n  ")
    )  # fmt: skip
    write(tmp_path, all=text)
    found = inspect([tmp_path])
    assert broken(found) == []
    assert sum(f.requirement == "state store" for f in found) == 2


def test_wrong_yaml_gives_line_and_column(tmp_path):
    write(tmp_path, bad="kind: Deployment\nmetadata: [\n  name: x\n")
    (found,) = about(inspect([tmp_path]), "file")
    assert found.state == "broken"
    line, column = found.where.rsplit(":", 2)[1:]
    assert int(line) >= 2
    assert int(column) >= 1


def test_a_helm_template_is_told_to_be_rendered_first(tmp_path):
    write(tmp_path, a=app("one", namespace="{{ .Values.namespace }}"))
    (found,) = about(inspect([tmp_path]), "file")
    assert found.fix.startswith("helm template")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace('value: "true"', "value: true"),
        lambda text: "%YAML 1.1\n--- # Source: one.yaml\n" + text + "...\n",
    ],
    ids=["byte order mark", "Windows lines", "true without quotes", "directives"],
)
def test_other_ways_to_write_the_same_are_read(tmp_path, change):
    for name, text in {"a": app("one"), "s": store()}.items():
        (tmp_path / f"{name}.yaml").write_bytes(change(text).encode())
    assert {f.state for f in inspect([tmp_path]) if f.requirement != "names"} == {"holds"}


def test_a_file_in_utf_16_as_windows_makes_them_is_read(tmp_path):
    (tmp_path / "all.yaml").write_bytes((app("one") + "---\n" + store()).encode("utf-16"))
    assert [f.state for f in about(inspect([tmp_path]), "state store")] == ["holds"]


@pytest.mark.parametrize(
    "text",
    [
        "kind: Deployment\n",
        "kind: Deployment\nmetadata:\nspec: {template: {metadata: {annotations: null}}}\n",
        "kind: Deployment\nspec: []\n",
        "kind: Pod\nmetadata: {annotations: [a]}\n",
        "kind: Component\n",
        "kind: Component\nspec: {metadata: {actorStateStore: x}}\nscopes: text\n",
        "kind: Resiliency\nspec: {targets: {apps: [one]}}\n",
        "kind: [Deployment]\n",
        "? [a]\n: b\n",
        "a: !Ref b\n",
        "kind: Pod\n'': x\n",
    ],
)
def test_what_is_no_whole_manifest_is_left_alone(tmp_path, text):
    assert broken(inspect([write(tmp_path, a=text)])) == []


def test_a_merged_map_is_looked_into(tmp_path):
    text = app("one").replace("metadata:\n  name: one\n", "metadata:\n  <<: *m\n  name: one\n", 1)
    text = text.replace("  namespace: tasks\n", "")
    text = "x: &m\n  namespace: tasks\n" + text
    (found,) = about(inspect([write(tmp_path, a=text, s=store())]), "namespace")
    assert found.why == "1 app, in tasks"


def test_a_key_that_stands_twice_is_told_with_its_second_line(tmp_path):
    twice = app("one").replace("  namespace: tasks\n", "  namespace: a\n  namespace: tasks\n")
    (found,) = about(inspect([write(tmp_path, a=twice, s=store())]), "file")
    assert (found.state, line_of(found)) == ("broken", "namespace: tasks")
    foreign = "kind: Service\na: 1\na: 2\n"
    assert about(inspect([write(tmp_path, a=foreign)]), "file") == []


@pytest.mark.parametrize("text", ["&a [*a]\n", "kind: List\nitems: &a [*a, null]\n"])
def test_an_alias_inside_its_own_anchor_is_broken_as_it_is_for_kubectl(tmp_path, text):
    (found,) = about(inspect([write(tmp_path, a=text)]), "file")
    assert (found.state, "inside its own anchor" in found.why) == ("broken", True)


def test_a_tab_is_told_as_such(tmp_path):
    (found,) = about(inspect([write(tmp_path, a="kind: Pod\nmetadata:\n\tname: x\n")]), "file")
    assert found.where.endswith("a.yaml:3:1")
    assert "tab" in found.fix


@pytest.mark.parametrize("namespace", ["{{ .Values.namespace }}", '"{{ .Values.namespace }}"'])
def test_a_template_that_happens_to_be_yaml_is_told_too(tmp_path, namespace):
    (found,) = about(inspect([write(tmp_path, a=app("one", namespace))]), "file")
    assert found.fix.startswith("helm template")
    assert line_of(found) == f"namespace: {namespace}"


def test_a_recipe_for_kustomize_is_told_only_where_it_is_all_there_is(tmp_path):
    write(tmp_path, kustomization="namespace: tasks\nresources: [a.yaml]\n")
    (found,) = about(inspect([tmp_path]), "file")
    assert found.state == "cannot be known"
    assert "render it first" in found.fix
    write(tmp_path, a=app("one"), s=store())
    assert about(inspect([tmp_path]), "file") == []


# --- files ----------------------------------------------------------------------------------------


def test_a_file_named_twice_is_read_once(tmp_path):
    write(tmp_path, a=app("one"), s=store())
    (tmp_path / "link.yaml").symlink_to(tmp_path / "s.yaml")
    found = inspect([tmp_path, tmp_path / "s.yaml", tmp_path / ".." / tmp_path.name])
    assert [f.state for f in about(found, "state store")] == ["holds"]


def test_rings_of_links_folders_with_such_a_name_and_pipes_do_not_stop_it(tmp_path):
    write(tmp_path, a=app("one"), s=store())
    (tmp_path / "ring.yaml").symlink_to(tmp_path / "ring.yaml")
    (tmp_path / "up").symlink_to(tmp_path)
    (tmp_path / "folder.yaml").mkdir()
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "to-pipe.yaml").symlink_to(tmp_path / "pipe.yaml")
    (found,) = about(inspect([tmp_path]), "file")
    assert (found.state, found.where) == ("cannot be known", str(tmp_path / "ring.yaml"))


def test_a_closed_file_is_told_and_the_others_are_read(tmp_path, monkeypatch):
    write(tmp_path, a=app("one"), s=store(), closed="kind: Pod")
    read = plainfile.read

    def refuse(path, most):
        if path.name == "closed.yaml":
            raise PermissionError(13, "Permission denied")
        return read(path, most)

    monkeypatch.setattr(plainfile, "read", refuse)
    found = inspect([tmp_path])
    (file,) = about(found, "file")
    assert (file.state, file.where) == ("cannot be known", str(tmp_path / "closed.yaml"))
    assert [f.state for f in about(found, "state store")] == ["holds"]


@pytest.mark.parametrize("data", [bytes(range(256)), b"\xff" * 50, b"\0", b'"\\UFFFFFFFF"'])
def test_bytes_that_are_no_text_are_no_yaml(tmp_path, data):
    (tmp_path / "a.yaml").write_bytes(data)
    (found,) = about(inspect([tmp_path]), "file")
    assert "not valid YAML" in found.why


def test_hidden_folders_are_left_out_but_for_those_of_dapr(tmp_path):
    for name in (".git", ".dapr"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, a=app(name[1:]))
    found = about(inspect([tmp_path]), "state store")
    assert [f.why for f in found] == ["no state store for dapr is in these files"]


def bomb(last: str) -> str:
    """Nine levels of ten aliases each: a thousand million values in 600 bytes."""
    lines = ["a0: &a0 {x: 1, y: 2}"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    return "\n".join([*lines, last, ""])


@pytest.mark.parametrize(
    "last",
    [
        "kind: *a9",
        "kind: Pod\nmetadata: {name: *a9, namespace: *a9, annotations: *a9}",
        "kind: Component\nmetadata: {<<: *a9}\nspec: *a9\nscopes: *a9",
        "kind: List\nitems: *a9",
        "version: 1\napps: *a9",
    ],
)
def test_nested_aliases_cost_no_more_than_their_length(tmp_path, last):
    write(tmp_path, a=bomb(last))
    inspect([tmp_path])  # milliseconds; written out it would take hours


def test_maps_merged_in_nested_aliases_cost_no_more_either(tmp_path):
    lines = ["m0: &m0 {x: 1}"]
    lines += [f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 10)}]}}" for n in range(1, 10)]
    text = "\n".join([*lines, "kind: Pod", "metadata: {<<: *m9}", ""])
    inspect([write(tmp_path, a=text)])


@pytest.mark.parametrize(
    ("text", "words"),
    [("[" * 1000, "nested more than 200 deep"), ("# a comment\n" * 400_000, "larger than 4 MB")],
)
def test_too_deep_and_too_large_are_told(tmp_path, text, words):
    (found,) = about(inspect([write(tmp_path, a=text)]), "file")
    assert words in found.why
    assert found.state == "cannot be known"


# fmt: off
KEYS = [
    "kind", "metadata", "spec", "template", "annotations", "items", "scopes", "apps", "version",
    "common", "env", "appID", "appDirPath", "resourcesPath", "resourcesPaths", "configFilePath",
    "targets", "actors", "name", "namespace",
]
# fmt: on
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["one", ".", "a.yaml", "~nobody", "\0", "\ud800"])
    | st.text(st.characters(exclude_characters="/."), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS) | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


KINDS = ["Deployment", "Component", "List", "CronJob", "Resiliency", "Configuration", "run", ""]


@settings(max_examples=300)
@given(VALUES, st.sampled_from(KINDS))
def test_no_manifest_makes_it_crash(tmp_path_factory, value, kind):
    file = tmp_path_factory.getbasetemp() / "any" / "any.yaml"
    file.parent.mkdir(exist_ok=True)
    body = value
    if isinstance(value, dict):
        body = {**value, "kind": kind}
        if kind == "run":
            body = {"version": 1, "apps": [value, value], "common": value}
    with suppress(yaml.YAMLError, UnicodeEncodeError):
        file.write_text(yaml.safe_dump(body))
        inspect([file])
