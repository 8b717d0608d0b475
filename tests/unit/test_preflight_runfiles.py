"""Run files: what the sidecar of each app reads, and which apps call each other."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from labkit import preflight
from labkit.preflight import inspect
from labkit.runfile import load
from tests.support.manifests import (
    about,
    app,
    broken,
    calling,
    line_of,
    local_store,
    run_file,
    states,
    store,
    worker,
    write,
)

# --- what the sidecar of an app reads -------------------------------------------------------------


def test_two_apps_with_folders_of_their_own_see_one_store_each(tmp_path):
    file = run_file(tmp_path, "one: resourcesPath: ../mine", "two")
    local_store(tmp_path / "mine", name="mine")
    for named in ([file], [tmp_path], [file, tmp_path / "mine", tmp_path / "components"]):
        found = about(inspect(named), "state store")
        assert [f.why for f in found] == ["one sees mine", "two sees statestore"]


def test_subfolders_and_other_files_are_not_read_by_the_sidecar(tmp_path):
    file = run_file(tmp_path, "one")
    local_store(tmp_path / "components" / "below", name="second")
    (tmp_path / "components" / "third.json").write_text(store("third"))
    assert states(inspect([file]), "state store") == ["holds"]


def test_resources_own_before_default_before_common(tmp_path):
    file = run_file(tmp_path, "one", "two: resourcesPaths: [../mine, own]", "three")
    local_store(tmp_path / "one" / ".dapr" / "resources", name="default")
    local_store(tmp_path / "mine", name="mine", value='"false"')
    local_store(tmp_path / "two" / "own", name="own")
    found = [f.why for f in about(inspect([file]), "state store")]
    assert found == ["one sees default", "two sees own", "three sees statestore"]


def test_paths_of_a_run_file_that_are_not_there_are_told_once_with_their_line(tmp_path):
    file = run_file(tmp_path, "one", "two: configFilePath: none.yaml", common="resourcesPath: no")
    found = about(inspect([file]), "file")
    assert [line_of(f) for f in found] == [
        "common: {resourcesPath: no}",
        "configFilePath: none.yaml",
    ]
    assert {f.state for f in found} == {"broken"}


def test_no_store_in_the_folders_is_broken_only_for_an_app_that_hosts_workflows(tmp_path):
    file = run_file(
        tmp_path, "one: resourcesPath: .", "two: resourcesPath: .", "three: resourcesPath: ."
    )
    worker(tmp_path / "one", calling("call_activity('work', app_id='two')"))
    worker(tmp_path / "two", "@wfr.activity\ndef work(ctx): ...\n")
    found = about(inspect([file]), "state store")
    assert [f.state for f in found] == ["broken", "holds", "cannot be known"]
    assert line_of(found[0]) == "resourcesPath: ."
    assert found[1].why.startswith("two is called for activities only")
    (unknown,) = about(inspect([run_file(tmp_path, "four", common="")]), "state store")
    assert "dapr run takes the user's own" in unknown.why


def test_components_of_a_run_file_are_not_those_of_kubernetes(tmp_path):
    file = run_file(tmp_path, "one")
    write(tmp_path, deployed=app("one"), cluster=store("cluster"))
    found = about(inspect([tmp_path, file]), "state store")
    assert sorted(f.why for f in found) == ["one sees cluster", "one sees statestore"]
    (tmp_path / "cluster.yaml").unlink()  # the one folder is for both
    # It names no namespace: in the cluster it is where kubectl is told to put it.
    assert states(inspect([tmp_path, file]), "state store") == ["holds", "cannot be known"]
    assert states(inspect([tmp_path]), "namespace") == ["holds", "holds"]


# --- one home -------------------------------------------------------------------------------------


def test_the_caller_is_the_app_whose_source_calls(tmp_path):
    file = run_file(
        tmp_path, "target: env: {NAMESPACE: pay}", "caller", "aside: env: {NAMESPACE: x}"
    )
    worker(tmp_path / "caller", calling("call_activity('work', app_id='target')"))
    (found,) = about(inspect([file]), "namespace")
    assert found.why.startswith("target is in namespace pay, caller in default")
    assert found.fix.startswith("set NAMESPACE: default in ")


def test_a_chain_of_calls_is_one_group_with_its_first_caller_as_home(tmp_path):
    wrong = "b: env: {NAMESPACE: pay}"
    file = run_file(tmp_path, "c", wrong, "a")
    worker(tmp_path / "a", calling("call_child_workflow('w', app_id='b')"))
    worker(tmp_path / "b", calling("call_activity('work', app_id='c')"))
    worker(tmp_path / "c", "@wfr.activity\ndef work(ctx): ...\n")
    found = inspect([file])
    assert states(found) == ["holds", "holds"]
    assert [f.why.partition(" is in")[0] for f in about(found, "namespace")] == ["b"]
    assert broken(inspect([run_file(tmp_path, "c", "b", "a")])) == []


def test_two_groups_that_never_meet_may_be_in_two_namespaces(tmp_path):
    pay = "env: {NAMESPACE: pay}"
    file = run_file(tmp_path, "a", "b", f"c: {pay}", f"d: {pay}")
    for caller, target in (("a", "b"), ("c", "d")):
        worker(tmp_path / caller, calling(f"call_activity('work', app_id='{target}')"))
    assert states(inspect([file]), "namespace") == ["holds", "holds"]


# --- the same reader as a lab's -------------------------------------------------------------------

WEB = "version: 1\napps:\n- appID: web\n  appDirPath: web\n"


@pytest.mark.parametrize(
    ("text", "resources", "namespace"),
    [
        (WEB + "  resourcesPath: ../a\n  <<: {resourcesPath: ../b}\n", "b", None),
        (WEB + "  <<: {resourcesPath: ../b}\n  resourcesPath: ../a\n", "a", None),
        (WEB + "  env: {NAMESPACE: x, <<: {NAMESPACE: y}}\n", "", "y"),
        (WEB + "  env: {NAMESPACE: ''}\ncommon: {env: {NAMESPACE: pay}}\n", "", ""),
        (WEB + "  env: {A: b}\ncommon: {env: {NAMESPACE: pay}}\n", "", "pay"),
        (WEB + "---\nversion: 1\napps: [{appID: second, appDirPath: web}]\n", "", None),
        (WEB + "---\nnot: [closed\n", "", None),
        (WEB + "  appID: web\n  resourcesPath: ../a\n  resourcesPath: ../b\n", "b", None),
    ],
)
def test_a_lab_and_preflight_read_a_run_file_alike(tmp_path, text, resources, namespace):
    for name in ("a", "b", "web"):
        local_store(tmp_path / name)
    file = tmp_path / "dapr.yaml"
    file.write_text(text)
    (spec,) = load(file).apps
    found = preflight.load([file])
    (judged,) = found.apps
    wanted = tmp_path / resources / "store.yaml" if resources else None
    assert [p / "store.yaml" for p in spec.resources] == list(judged.resources or ())
    assert list(judged.resources or ()) == ([wanted] if wanted else [])
    assert spec.env.get("NAMESPACE") == namespace
    assert judged.namespace == ("default" if namespace is None else namespace)
    assert judged.app_id == spec.app_id == "web"
    assert [f for f in found.unreadable if f.state != "note"] == []


@pytest.mark.parametrize(
    ("lines", "state", "line", "words"),
    [
        ("env: [A=b]", "broken", 5, "env is a list; dapr run ends with an error"),
        ("appPort: many", "broken", 5, "appPort is 'many'"),
        ("appPort: 70000", "broken", 5, "appPort is 70000"),
        ("command: python main.py", "broken", 5, "command is 'python main.py'"),
        ("configFilePath: .", "broken", 5, ". is not a file"),
        ("logDestination: file", "note", 5, "has no key 'logDestination'; dapr run ignores it"),
        ("appID: web", "note", 5, "appID stands twice"),
        ("env: {A=B: c}", "cannot be known", 5, "'A=B'; dapr run accepts it, a lab refuses it"),
    ],
)
def test_a_fault_is_judged_by_what_dapr_run_does_with_it(tmp_path, lines, state, line, words):
    (tmp_path / "web").mkdir()
    file = tmp_path / "dapr.yaml"
    file.write_text(f"{WEB}  {lines}\n")
    (found,) = about(inspect([file]), "file")
    assert (found.state, found.where) == (state, f"{file}:{line}")
    assert words in found.why
    assert found.fix


@pytest.mark.parametrize(
    ("app_id", "state"),
    [("a.b", "broken"), ("--help", "cannot be known"), ("a/b", "cannot be known")],
)
def test_an_app_id_that_no_lab_takes_is_named(tmp_path, app_id, state):
    (tmp_path / "web").mkdir()
    file = tmp_path / "dapr.yaml"
    file.write_text(WEB.replace("appID: web", f"appID: {app_id}"))
    (found,) = about(inspect([file]), "file")
    assert (found.state, line_of(found)) == (state, f"- appID: {app_id}")


def test_an_app_id_that_two_apps_have_is_named(tmp_path):
    file = run_file(tmp_path, "one", "two")
    file.write_text(file.read_text().replace("appID: two", "appID: one"))
    (found,) = about(inspect([file]), "file")
    assert (found.state, line_of(found)) == ("cannot be known", "- appID: one")
    assert found.why.startswith("two apps have the app ID 'one'")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("apps: [{appID: web, appDirPath: web}]\n", "the run file has no version"),
        ("version: 1\n", "the run file has no apps"),
        ("version: 1\napps: []\n", "the run file has no apps"),
        ("version: 1\napps: {a: b}\n", "the run file has no apps"),
        ("version: 1\napps: [text]\n", "an app is not a map"),
        ("kind: Component\n---\n" + WEB, "reads the first document of a file; this is number 2"),
    ],
)
def test_a_run_file_that_dapr_run_cannot_start_is_broken(tmp_path, text, words):
    (tmp_path / "web").mkdir()
    (tmp_path / "dapr.yaml").write_text(text)
    found = [f for f in about(inspect([tmp_path]), "file") if f.state == "broken"]
    assert words in found[0].why


def test_yaml_of_others_with_apps_in_it_is_no_run_file(tmp_path):
    write(tmp_path, a="apps: {web: {port: 1}}\n", b="version: 2\nservices: {}\n", c="apps: [a]\n")
    assert about(inspect([tmp_path]), "file") == []


@pytest.mark.parametrize("kind", ["pipe", "device", "ring", "long name"])
def test_what_is_not_a_file_is_named_at_once(tmp_path, kind):
    path = {"device": Path("/dev/zero"), "long name": tmp_path / ("x" * 300)}.get(kind)
    path = path or tmp_path / kind
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "ring":
        path.symlink_to(path)
    (found,) = about(inspect([path]), "file")
    assert found.state == "cannot be known"
    assert found.why.startswith("it cannot be read: ")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (os.mkfifo, "it is a pipe"),
        (lambda file: file.symlink_to(file.parent), "it is a folder"),
    ],
    ids=["pipe", "link to a folder"],
)
def test_a_resource_at_which_the_sidecar_waits_for_ever_is_broken(tmp_path, make, words):
    file = run_file(tmp_path, "one", "two")
    assert about(inspect([file]), "file") == []
    make(tmp_path / "components" / "more.yaml")
    (found,) = about(inspect([file]), "file")
    assert (found.state, words in found.why) == ("broken", True)
    assert "a sidecar that reads it is never ready" in found.why
