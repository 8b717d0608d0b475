"""From where a sidecar must be started, so that it finds what its components name."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit import paths
from labkit.infrastructure import components


def component(kind: str, **metadata: str) -> components.Component:
    values = [{"name": k, "value": v} for k, v in metadata.items()]
    return {"kind": "Component", "spec": {"type": kind, "metadata": values}}


@pytest.mark.parametrize(
    ("given", "needed"),
    [
        (component("secretstores.local.file", secretsFile="./secrets.json"), True),
        (component("secretstores.local.file", secretsFile="../app/secrets.json"), True),
        (component("secretstores.local.file", secretsFile="elsewhere.json"), False),
        (component("secretstores.local.file", secretsFile="/etc/passwd"), False),
        (component("bindings.localstorage", rootPath="data"), True),
        (component("state.sqlite", connectionString="data/store.sqlite"), True),
        (component("state.sqlite", connectionString="file:data/store.sqlite?mode=rwc"), True),
        (component("state.sqlite", connectionString="no/store.sqlite"), False),
        # A store named by its file only is the lab's, even if one lies there from `dapr run`.
        (component("state.sqlite", connectionString="store.sqlite"), False),
        (component("state.sqlite", connectionString=":memory:"), False),
        (component("state.redis", redisHost="data"), False),
        ({"kind": "Component", "spec": None}, False),
    ],
)
def test_a_component_that_names_a_file_of_the_app_needs_its_folder(tmp_path, given, needed):
    folder = tmp_path / "app"
    (folder / "data").mkdir(parents=True)
    for name in ("secrets.json", "store.sqlite"):
        (folder / name).touch()
    assert components.needs_folder(given, folder) is needed


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("kind: Component\nmetadata: {name: x\nspec: 1\n", 3, "not valid YAML"),
        ("apiVersion: dapr.io/v1alpha1\n\tkind: Component\n", 2, "not valid YAML"),
        ("asdf asdf\n", 1, "not a map of keys"),
        ("kind: Component\n---\n- a\n- b\n", 3, "not a map of keys"),
    ],
    ids=["bracket", "tab", "text", "list"],
)
def test_a_component_file_that_cannot_be_read_is_named_with_its_line(tmp_path, text, line, words):
    (tmp_path / "store.yaml").write_text(text)
    with pytest.raises(components.WrongComponent) as caught:
        components.require_readable([tmp_path])
    assert caught.value.title.startswith(f"store.yaml, line {line}: ")
    assert words in caught.value.title
    assert caught.value.look_at == f"{tmp_path / 'store.yaml'}:{line}"


def test_files_without_a_component_are_no_mistake(tmp_path):
    (tmp_path / "empty.yaml").write_text("# nothing\n---\n")
    (tmp_path / "other.yaml").write_text("kind: Subscription\n")
    components.require_readable([tmp_path, tmp_path / "missing"])


def test_the_components_of_the_course_are_readable():
    folders = [p for p in (paths.repo() / "components").iterdir() if p.is_dir()]
    components.require_readable(folders)


def large(file: Path) -> None:
    file.write_text("kind: Component\n---\nkind: Component\n#" + "x" * 65_536)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (os.mkfifo, "it is a pipe, not a file"),
        (lambda file: file.symlink_to("/dev/zero"), "it is a device, not a file"),
        (lambda file: file.symlink_to(file.parent), "it is a folder, not a file"),
        (lambda file: file.symlink_to(file), "symbolic links"),
        (lambda file: file.symlink_to("nowhere"), "No such file"),
        (lambda file: file.write_bytes(b"#" * 50_000_000), "larger than 4 MB"),
        (lambda file: file.write_bytes(b"[" * 5000), "nested more than 200 deep"),
        (lambda file: file.write_bytes(b"a: \0"), "not valid YAML"),
        (lambda file: file.write_bytes(b"a: &a {<<: *a}"), "inside its own anchor"),
        (large, "a document of more than 65,535 bytes"),
    ],
)
def test_a_file_that_stops_or_ends_the_sidecar_is_refused(tmp_path, make, words):
    make(tmp_path / "store.yaml")
    with pytest.raises(components.WrongComponent) as caught:
        components.require_readable([tmp_path])
    assert words in str(caught.value)
    list(components.read([tmp_path]))  # what it cannot read is left to the sidecar


def test_a_long_document_is_named_with_its_first_line(tmp_path):
    large(tmp_path / "store.yaml")
    with pytest.raises(components.WrongComponent) as caught:
        components.require_readable([tmp_path])
    assert caught.value.look_at == f"{tmp_path / 'store.yaml'}:2"


def test_what_the_sidecar_reads_is_read_and_nothing_else(tmp_path):
    for name in ("b.yml", "a.YAML", "c.json", ".yaml"):
        (tmp_path / name).write_text("kind: Component")
    (tmp_path / "folder.yaml").mkdir()
    assert [f.name for f in components.files([tmp_path])] == [".yaml", "a.YAML", "b.yml"]
    assert list(components.files([tmp_path / "nowhere"])) == []


@pytest.mark.parametrize("value", ["2024-13-45", "9" * 5000, "!!int x", "!!timestamp x", "0o99"])
def test_a_value_of_any_form_is_a_text(tmp_path, value):
    text = f"kind: Component\nspec: {{type: state.redis, metadata: [{{name: a, envRef: {value}}}]}}"
    (tmp_path / "store.yaml").write_text(text)
    (found,) = components.read([tmp_path])
    assert components.env_refs(found) == {value.split()[-1]}


def test_nested_merges_and_aliases_cost_no_more_than_their_length(tmp_path):
    lines = ["m0: &m0 {name: a}", "a0: &a0 [1]"]
    for n in range(1, 40):
        lines.append(f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 9)}]}}")
        lines.append(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]")
    text = "\n".join([*lines, "kind: Component", "spec: {type: x, metadata: [*m39], y: *a39}"])
    (tmp_path / "store.yaml").write_text(text)
    (found,) = components.read([tmp_path])
    assert found["spec"]["metadata"] == [{"name": "a"}]


KEYS = ["spec", "metadata", "type", "name", "value", "envRef", "<<"]
WORDS = ["state.sqlite", "connectionString", "rootPath", "secretsFile", "a/\0", "x" * 5000, "~"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(WORDS) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=200)
@given(
    st.binary(max_size=80)
    | VALUES.map(lambda value: yaml.safe_dump({"kind": "Component", "spec": value}).encode())
)
def test_any_file_is_read_or_refused_and_nothing_else_is_raised(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp() / "any-components"
    folder.mkdir(exist_ok=True)
    (folder / "any.yaml").write_bytes(data)
    with suppress(components.WrongComponent):
        components.require_readable([folder])
    for found in components.read([folder]):
        components.env_refs(found)
        components.needs_folder(found, folder)
        components.sqlite_file(found)


def test_a_set_of_the_course_or_a_folder_is_chosen(tmp_path):
    assert components.chosen("default") == paths.repo() / "components" / "default"
    assert components.chosen(tmp_path) == tmp_path


@pytest.mark.parametrize("named", ["nowhere", "x" * 5000, "a\0b", __file__])
def test_components_that_are_no_folder_are_refused_with_the_sets_there_are(named):
    with pytest.raises(components.WrongComponent) as caught:
        components.chosen(named)
    assert "default" in caught.value.found
    assert len(str(caught.value)) < 2000
