"""Requirements read from manifests: what holds, what is broken and where, what nobody can know."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit import paths, preflight
from labkit.preflight import Finding, inspect

REPO = paths.repo()
SOURCE = REPO / "services" / "task-orchestrator-service" / "main.py"
KUBERNETES = REPO / "components" / "kubernetes"


def broken(found: list[Finding]) -> list[str]:
    return [f.requirement for f in found if f.state == "broken"]


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


def app(name: str, namespace: str = "tasks", extra: str = "") -> str:
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  namespace: {namespace}
spec:
  template:
    metadata:
      annotations:
        dapr.io/enabled: "true"
        dapr.io/app-id: {name}
{extra}"""


def store(name: str = "statestore", value: str = '"true"', more: str = "") -> str:
    return f"""\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{name: {name}, namespace: tasks}}
{more}
spec:
  type: state.redis
  version: v1
  metadata:
    - {{name: actorStateStore, value: {value}}}
"""


def test_the_right_manifests_hold_and_the_wrong_ones_name_both_faults():
    assert broken(inspect([KUBERNETES / "correct"])) == []
    found = inspect([KUBERNETES / "wrong"])
    assert set(broken(found)) == {"namespace", "state store"}
    namespace = next(f for f in found if f.requirement == "namespace")
    line = (KUBERNETES / "wrong" / "apps.yaml").read_text().splitlines()
    assert line[int(namespace.where.rpartition(":")[2]) - 1] == "apiVersion: apps/v1"
    assert namespace.mend.startswith("set namespace: tasks")


def test_the_deployment_of_the_course_holds():
    found = inspect([REPO / "services", REPO / "components" / "default"], [SOURCE])
    assert broken(found) == []
    assert {f.state for f in found if f.requirement == "names"} == {"cannot be known"}


def test_a_call_to_an_app_that_nobody_deploys_is_found_by_its_line(tmp_path):
    source = tmp_path / "main.py"
    source.write_text(
        "TARGET = 'notifications'\n\n\ndef w(ctx, x):\n"
        "    yield ctx.call_activity('send', input=x, app_id=TARGET)\n"
        "    yield ctx.call_activity('send', input=x, app_id=x['app'])\n"
    )
    write(tmp_path, a=app("one"), s=store())
    names = [f for f in inspect([tmp_path], [source]) if f.requirement == "names"]
    assert [(f.state, f.where) for f in names] == [
        ("broken", f"{source}:5"),
        ("cannot be known", f"{source}:6"),
    ]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"s": store(value='"false"')}, "statestore is none"),
        ({"s": store(more="scopes: [another]")}, "hidden from one by scopes"),
        ({"s": store(), "t": store("second")}, "2 actor state stores"),
        ({"s": store().replace("namespace: tasks", "namespace: elsewhere")}, "other namespaces"),
    ],
)
def test_each_fault_of_the_store_has_its_own_words_and_a_change_that_mends_it(
    tmp_path, files, words
):
    write(tmp_path, a=app("one"), **files)
    (found,) = [f for f in inspect([tmp_path]) if f.requirement == "state store"]
    assert found.state == "broken"
    assert words in found.why
    assert ".yaml:" in found.where
    assert found.mend


def test_an_app_that_is_called_for_activities_only_needs_no_store(tmp_path):
    source = tmp_path / "main.py"
    call = "    yield ctx.call_activity('send', input=x, app_id='two')\n"
    source.write_text("def w(ctx, x):\n" + call)
    write(tmp_path, a=app("one"), b=app("two"), s=store(more="scopes: [one]"))
    assert broken(inspect([tmp_path])) == ["state store"]
    assert broken(inspect([tmp_path], [source])) == []
    source.write_text(
        "def w(ctx, x):\n" + call + call.replace("call_activity", "call_child_workflow")
    )
    assert broken(inspect([tmp_path], [source])) == ["state store"]


def test_a_source_that_is_no_python_gives_line_and_column(tmp_path):
    source = tmp_path / "main.py"
    source.write_text("def w(ctx:\n    pass\n")
    write(tmp_path, a=app("one"), s=store())
    (found,) = [f for f in inspect([tmp_path], [source]) if f.requirement == "file"]
    assert found.where.startswith(f"{source}:")
    assert "no Python" in found.why


def test_a_helm_template_is_told_to_be_rendered_first(tmp_path):
    write(tmp_path, a=app("one", namespace="{{ .Values.namespace }}"))
    (found,) = [f for f in inspect([tmp_path]) if f.requirement == "file"]
    assert found.mend.startswith("helm template")


@pytest.mark.parametrize("name", ["correct", "wrong"])
def test_our_manifests_are_valid_kubernetes_apart_from_what_is_wrong_on_purpose(name):
    validated = 0
    for file in (KUBERNETES / name).glob("*.yaml"):
        for body in yaml.safe_load_all(file.read_text()):
            if body["apiVersion"].startswith("dapr.io/"):
                continue  # Dapr's own kinds are not in the schemas of Kubernetes
            kubernetes_validate.validate(body, kubernetes_validate.latest_version(), strict=True)
            validated += 1
    assert validated == 2


def test_without_any_store_it_cannot_be_known(tmp_path):
    write(tmp_path, a=app("one"))
    (found,) = [f for f in inspect([tmp_path]) if f.requirement == "state store"]
    assert found.state == "cannot be known"


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


def test_an_app_without_dapr_is_left_alone(tmp_path):
    write(tmp_path, a=app("one").replace('"true"', '"false"'))
    assert inspect([tmp_path])[0].state == "cannot be known"


def test_wrong_yaml_gives_line_and_column(tmp_path):
    write(tmp_path, bad="kind: Deployment\nmetadata: [\n  name: x\n")
    (found,) = [f for f in inspect([tmp_path]) if f.requirement == "file"]
    assert found.state == "broken"
    line, column = found.where.rsplit(":", 2)[1:]
    assert int(line) >= 2
    assert int(column) >= 1


def test_the_command_line(tmp_path, capsys):
    assert preflight.main([str(KUBERNETES / "correct")]) == 0
    assert preflight.main([str(KUBERNETES / "wrong"), "--json"]) == 1
    out = capsys.readouterr().out
    assert json.loads(out[out.index('{"findings"') :])["findings"]
    with pytest.raises(SystemExit) as caught:
        preflight.main([str(tmp_path / "nowhere")])
    assert caught.value.code == 2


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["kind", "metadata", "spec", "apps", "version", "template", "annotations"]
            )
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(VALUES, st.sampled_from(["Deployment", "Component", "List", "CronJob", ""]))
def test_no_manifest_makes_it_crash(tmp_path_factory, value, kind):
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    body = {**value, "kind": kind} if isinstance(value, dict) else value
    with suppress(yaml.YAMLError, UnicodeEncodeError):
        file.write_text(yaml.safe_dump(body))
        inspect([file])
