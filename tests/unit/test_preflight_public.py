"""What manifests and run files of other people showed, each in its smallest form."""

from __future__ import annotations

import pytest

from labkit.preflight import inspect
from tests.support.manifests import about, app, line_of, local_store, run_file, states, store, write

HEADERS = """\
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata: {{name: tracing}}
spec:
  tracing:
    samplingRate: "1"
    otel: {{endpointAddress: "127.0.0.1:4317", isSecure: false, protocol: grpc, headers: [{}]}}
"""
TEXT, MAP = '"a=b"', "{name: a, value: b}"


@pytest.mark.parametrize(("header", "found"), [(TEXT, []), (MAP, ["broken"])])
def test_a_header_of_traces_is_a_text_where_no_cluster_is(tmp_path, header, found):
    """daprd 1.18.1 starts with the text, and ends at the map: "cannot unmarshal !!map"."""
    (tmp_path / "tracing.yaml").write_text(HEADERS.format(header))
    file = run_file(tmp_path, "one: configFilePath: ../tracing.yaml")
    assert [f.state for f in about(inspect([file]), "schema")] == found


@pytest.mark.parametrize(("header", "found"), [(TEXT, ["broken"]), (MAP, [])])
def test_in_a_cluster_it_is_a_map(tmp_path, header, found):
    one = app("one", extra="        dapr.io/config: tracing\n")
    text = HEADERS.format(header).replace("{name: tracing}", "{name: tracing, namespace: tasks}")
    write(tmp_path, a=one, s=store(), c=text)
    assert [f.state for f in about(inspect([tmp_path]), "schema")] == found


def test_two_charts_in_folders_of_one_name_are_both_named(tmp_path):
    for phase in ("one", "two"):
        folder = tmp_path / phase / "todo" / "templates"
        folder.mkdir(parents=True)
        write(folder.parent, Chart="apiVersion: v2\nname: todo\n")
        write(folder, a=app("billing", "{{ .Release.Namespace }}"))
    places = [f.where for f in about(inspect([tmp_path]), "file")]
    assert places == [str(tmp_path / phase / "todo" / "Chart.yaml") for phase in ("one", "two")]


def without_namespace(text: str) -> str:
    return text.replace(", namespace: tasks", "")


def test_a_store_that_names_no_namespace_reaches_one_that_kubectl_is_given(tmp_path):
    write(tmp_path, a=app("one"), s=without_namespace(store()))
    (one,) = about(inspect([tmp_path]), "state store")
    assert one.state == "cannot be known"
    assert "kubectl" not in one.why
    assert "applied with -n tasks" in one.why
    assert one.fix == "add namespace: tasks to its metadata"
    write(tmp_path, a=app("one", "default"))
    assert states(inspect([tmp_path]), "state store") == ["holds"]


def test_a_store_of_the_same_name_replaces_the_one_before(tmp_path):
    for folder, text in (("one", without_namespace(store())), ("two", store())):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder, s=text)
    write(tmp_path, a=app("one"))
    (one,) = about(inspect([tmp_path]), "state store")
    assert (one.state, one.why) == ("holds", "one sees statestore")
    assert "two/s.yaml" in one.where


@pytest.mark.parametrize(
    ("type_", "fix"),
    [
        ("statestore.redis", "did you mean state.redis?"),
        ("pubsubs.redis", "did you mean pubsub.redis?"),
        ("secretstore.local.file", "did you mean secretstores.local.file?"),
        ("eventstore.mongodb", "begin it with one of: bindings., configuration., "),
        ("redis", "begin it with one of: "),
    ],
)
def test_a_type_that_dapr_does_not_have_is_answered_with_what_may_be_meant(tmp_path, type_, fix):
    write(tmp_path, a=app("one"), s=store(), x=store("x").replace("state.redis", type_))
    (one,) = about(inspect([tmp_path]), "schema")
    assert one.fix.startswith(fix)


def test_an_absolute_path_is_not_said_to_start_somewhere(tmp_path):
    (one,) = about(inspect([run_file(tmp_path, "one", common="resourcesPath: /none")]), "file")
    assert one.fix == (
        f"make it, or correct the path (one that is not absolute starts at {tmp_path})"
    )


def test_a_part_of_a_workload_says_that_the_rest_is_not_there(tmp_path):
    text = app("one").partition("spec:\n")[2]
    write(tmp_path, patch=f"spec:\n{text}")
    (one,) = about(inspect([tmp_path]), "file")
    assert one.state == "cannot be known"
    assert one.why.startswith("annotations of Dapr in a part of a workload")
    assert line_of(one) == "annotations:"


@pytest.mark.parametrize(
    ("first", "second", "state"),
    [
        ("daprHTTPPort: 3008", "daprHTTPPort: 3008", "broken"),
        ("daprHTTPPort: 3008", "metricsPort: 3008", "broken"),
        ("daprGRPCPort: 3008", "appPort: 3008", "cannot be known"),
        ("appPort: 3008", "appPort: 3008", None),
        ("daprHTTPPort: 0", "daprHTTPPort: 0", None),
        ("daprHTTPPort: 3008", "daprHTTPPort: 3009", None),
    ],
)
def test_a_port_that_two_apps_have_is_named(tmp_path, first, second, state):
    found = about(inspect([run_file(tmp_path, f"one: {first}", f"two: {second}")]), "file")
    assert [f.state for f in found] == ([state] if state else [])
    assert [line_of(f) for f in found] == ([second] if state else [])


def test_a_port_that_an_app_has_twice_is_refused(tmp_path):
    """daprd 1.18.1: "the 'dapr-http-port' argument value 3008 conflicts with 'app-port'"."""
    (one,) = about(inspect([run_file(tmp_path, "one: appPort: 3008; daprHTTPPort: 3008")]), "file")
    assert (one.state, one.why.partition(";")[0]) == (
        "broken",
        "port 3008 is daprHTTPPort of one and appPort of one",
    )


def test_a_sure_conflict_within_an_app_goes_before_a_doubtful_one_with_another(tmp_path):
    apps = ("one: appPort: 3008", "two: appPort: 3008; daprHTTPPort: 3008")
    (one,) = about(inspect([run_file(tmp_path, *apps)]), "file")
    assert (one.state, one.why.partition(";")[0]) == (
        "broken",
        "port 3008 is daprHTTPPort of two and appPort of two",
    )


def test_a_key_that_is_there_already_is_not_advised_a_second_time(tmp_path):
    keys = "one: daprHttpPort: 1; daprHttpsPort: 2; daprHTTPMaxRequestSize: 4"
    fixes = [f.fix for f in about(inspect([run_file(tmp_path, keys)]), "file")]
    assert fixes == ["write daprHTTPPort", "remove it", "remove it"]


def test_a_folder_without_a_store_is_as_one_whose_store_is_for_no_actors(tmp_path):
    file = run_file(tmp_path, "one")
    local_store(tmp_path / "components", value='"false"')
    assert states(inspect([file]), "state store") == ["broken"]
    (tmp_path / "components" / "store.yaml").unlink()
    assert states(inspect([file]), "state store") == ["broken"]
