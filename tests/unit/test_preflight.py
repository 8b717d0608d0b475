"""Requirements read from manifests: what holds, what is broken and where, what nobody can know."""

from __future__ import annotations

import json
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from labkit import paths, preflight
from labkit.preflight import inspect
from tests.support.manifests import (
    about,
    app,
    broken,
    line_of,
    run_file,
    states,
    store,
    worker,
    write,
)

REPO = paths.repo()
SOURCE = REPO / "services" / "task-orchestrator-service" / "main.py"
KUBERNETES = REPO / "components" / "kubernetes"


def test_the_right_manifests_hold_and_the_wrong_ones_name_both_faults():
    assert broken(inspect([KUBERNETES / "correct"])) == []
    found = inspect([KUBERNETES / "wrong"])
    assert set(broken(found)) == {"namespace", "state store"}
    (namespace,) = about(found, "namespace")
    assert line_of(namespace) == "namespace: notifications"
    assert namespace.fix.startswith("set namespace: tasks in /")
    assert line_of(about(found, "state store")[0]) == 'value: "false"'


@pytest.mark.parametrize("also", [[], [REPO / "components" / "default"]])
def test_the_deployment_of_the_course_holds_with_its_run_file_alone(also):
    found = inspect([REPO / "services" / "dapr.yaml", *also], [SOURCE])
    open_questions = [f for f in found if f.state != "holds"]
    assert [(f.requirement, f.why) for f in open_questions] == [
        ("names", "notification-service is deployed; the name is computed at run time")
    ]
    assert 'given["activity"]' in Path(SOURCE).read_text()
    assert len(about(found, "state store")) == 4


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"s": store(value='"false"')}, 'statestore does not set actorStateStore to "true"'),
        ({"s": store(more="scopes: [another]")}, "hidden from one by scopes"),
        ({"s": store(), "t": store("second")}, "2 actor state stores"),
        ({"s": store().replace("namespace: tasks", "namespace: elsewhere")}, "other namespaces"),
    ],
)
def test_each_fault_of_the_store_has_its_own_words_and_a_change_that_fixes_it(
    tmp_path, files, words
):
    write(tmp_path, a=app("one"), **files)
    (found,) = [f for f in inspect([tmp_path]) if f.requirement == "state store"]
    assert found.state == "broken"
    assert words in found.why
    assert ".yaml:" in found.where
    assert found.fix


def test_an_app_that_is_called_for_activities_only_needs_no_store(tmp_path):
    source = tmp_path / "main.py"
    call = "    yield ctx.call_activity('send', input=x, app_id='two')\n"
    source.write_text("def w(ctx, x):\n" + call)
    write(tmp_path, a=app("one"), b=app("two"), s=store(more="scopes: [one]"))
    assert states(inspect([tmp_path]), "state store") == ["holds", "cannot be known"]
    assert states(inspect([tmp_path], [source]), "state store") == ["holds", "holds"]
    source.write_text(
        "def w(ctx, x):\n" + call + call.replace("call_activity", "call_child_workflow")
    )
    assert broken(inspect([tmp_path], [source])) == ["state store"]


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


def test_an_app_without_dapr_is_left_alone(tmp_path):
    write(tmp_path, a=app("one").replace('"true"', '"false"'))
    assert inspect([tmp_path])[0].state == "cannot be known"


def test_the_command_line(tmp_path, capsys):
    assert preflight.main([str(KUBERNETES / "correct")]) == 0
    assert preflight.main([str(KUBERNETES / "wrong"), "--json"]) == 1
    out = capsys.readouterr().out
    assert json.loads(out[out.index('{"findings"') :])["findings"]
    with pytest.raises(SystemExit) as caught:
        preflight.main([str(tmp_path / "nowhere")])
    assert caught.value.code == 2


def test_wrong_use_is_code_2():
    for wrong in ([], [str(KUBERNETES), "--source", "nowhere.py"]):
        with pytest.raises(SystemExit) as caught:
            preflight.main(wrong)
        assert caught.value.code == 2


def test_a_file_name_that_is_no_text_is_shown(monkeypatch, capsys):
    # Not every file system takes such a name, so no file is made.
    found = preflight.Finding(
        "file", "broken", "a\udcff.yaml:1:1", "it is not valid YAML", "correct that line"
    )
    monkeypatch.setattr(preflight, "inspect", lambda *_: [found])
    assert preflight.main([str(KUBERNETES)]) == 1
    assert "a\\udcff.yaml:1:1" in capsys.readouterr().out


# --- the line to change ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("is_now", "state", "line"),
    [
        ("", "cannot be known", "metadata:"),  # kubectl -n may say it
        ("  namespace: other # mine\n", "broken", "namespace: other # mine"),
    ],
)
def test_a_wrong_namespace_points_to_its_line_else_to_the_metadata(tmp_path, is_now, state, line):
    two = app("two", "other").replace("  namespace: other\n", is_now)
    write(tmp_path, a=app("one"), b=two)
    (found,) = about(inspect([tmp_path]), "namespace")
    assert (found.state, line_of(found)) == (state, line)
    assert found.fix.startswith("set namespace: tasks in ")


STORE_LINES = """apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: s
  namespace: tasks
scopes:
  - another
spec:
  type: state.redis
  version: v1
  metadata:
    - name: redisHost
      value: x
    - name: actorStateStore
      value: "true"
"""


ROWS = STORE_LINES[STORE_LINES.index("  metadata:\n    -") :]


@pytest.mark.parametrize(
    ("was", "is_now", "line"),
    [
        ("", "", "scopes:"),
        ('"true"', '"no"', 'value: "no"'),
        ('    - name: actorStateStore\n      value: "true"\n', "", "metadata:"),
        (ROWS, "  metadata: []\n", "metadata: []"),
        ("namespace: tasks", "namespace: else", "namespace: else"),
    ],
)
def test_a_fault_of_the_store_points_to_the_line_to_change(tmp_path, was, is_now, line):
    write(tmp_path, a=app("one"), s=STORE_LINES.replace(was, is_now) if was else STORE_LINES)
    (found,) = about(inspect([tmp_path]), "state store")
    assert (found.state, line_of(found)) == ("broken", line)
    second = write(tmp_path, t=STORE_LINES.replace("scopes:\n  - another\n", ""), s=store())
    assert line_of(about(inspect([second]), "state store")[0]) == 'value: "true"'


@pytest.mark.parametrize(
    ("apps", "line"),
    [
        (("one", "two: env: {NAMESPACE: pay}"), "env: {NAMESPACE: pay}"),
        (("one: env: {NAMESPACE: pay}", "two"), "- appID: two"),
    ],
)
def test_a_wrong_namespace_of_a_run_file_points_to_the_app(tmp_path, apps, line):
    (found,) = about(inspect([run_file(tmp_path, *apps)]), "namespace")
    assert (found.state, line_of(found)) == ("broken", line)
    assert "NAMESPACE: " in found.fix


# --- policies and limits --------------------------------------------------------------------------

CALLS_TWO = """@wfr.workflow(name="w")
def w(ctx, x):
    yield ctx.call_activity("work", app_id="two")
"""
WORK = "@wfr.activity(name='work')\ndef work(ctx): ...\n"
RESILIENCY = """kind: Resiliency
metadata: {name: r}
spec:
  targets:
    apps:
      three: {retry: many}
      two: {retry: many}
    actors:
      dapr.internal.default.two.activity: {retry: many}
      mine: {retry: many}
"""


def test_a_resiliency_policy_for_a_called_app_is_noted_and_breaks_nothing(tmp_path, capsys):
    file = run_file(tmp_path, "one", "two", "three")
    worker(tmp_path / "one", CALLS_TWO)
    worker(tmp_path / "two", WORK)
    write(tmp_path / "components", r=RESILIENCY)
    found = about(inspect([file]), "resiliency")
    assert [f.state for f in found] == ["note", "note"]
    assert [line_of(f).split(":")[0] for f in found] == [
        "two",
        "dapr.internal.default.two.activity",
    ]
    assert preflight.main([str(file)]) == 0
    assert "\ni resiliency: " in capsys.readouterr().out


CONFIGURATION = """kind: Configuration
metadata: {name: limits}
spec:
  workflow:
    maxConcurrentActivityInvocations: 2
"""


def test_a_limit_in_the_configuration_of_the_caller_is_noted(tmp_path):
    config = "configFilePath: ../limits.yaml"
    write(tmp_path, limits=CONFIGURATION)
    worker(tmp_path / "one", CALLS_TWO)
    worker(tmp_path / "two", WORK)
    (found,) = about(inspect([run_file(tmp_path, f"one: {config}", "two")]), "configuration")
    assert (found.state, line_of(found)) == ("note", "maxConcurrentActivityInvocations: 2")
    assert "not for its calls to two" in found.why
    assert about(inspect([run_file(tmp_path, "one", f"two: {config}")]), "configuration") == []


def test_a_configuration_that_no_file_holds_cannot_be_known(tmp_path):
    write(tmp_path, a=app("one", extra="        dapr.io/config: limits\n"), s=store())
    (found,) = about(inspect([tmp_path]), "configuration")
    assert (found.state, line_of(found)) == ("cannot be known", "dapr.io/config: limits")
    write(tmp_path, c=CONFIGURATION)
    assert about(inspect([tmp_path]), "configuration") == []
