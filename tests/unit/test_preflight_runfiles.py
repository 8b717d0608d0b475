"""Run files: what the sidecar of each app reads, and which apps call each other."""

from __future__ import annotations

from labkit.preflight import inspect
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
    assert states(inspect([tmp_path, file]), "state store") == ["holds", "holds"]
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
