"""From where a sidecar must be started, so that it finds what its components name."""

from __future__ import annotations

import pytest

from labkit import components, paths


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
