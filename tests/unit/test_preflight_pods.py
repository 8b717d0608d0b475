"""Which pods get a sidecar, and under which app ID: as Dapr's injector decides."""

from __future__ import annotations

import json

import pytest
import yaml

from labkit.preflight import inspect
from labkit.preflight.workloads import invalid
from tests.support.manifests import SDK, about, app, broken, calling, line_of, store, write

STORE = store().replace(", namespace: tasks", "")


def source(folder, call="call_activity('charge', app_id='billing')"):
    file = folder / "orders.py"
    file.write_text(SDK + calling(call))
    return file


def workload(kind, api, notes, top="", name="billing", spec=""):
    """A workload with annotations on its pod template, and others on itself."""
    template = f"""\
    metadata:
      annotations: {{{notes}}}
    spec:
      containers: [{{name: app, image: billing:1}}]
"""
    if kind == "CronJob":
        inner = "\n".join(f"    {line}" for line in template.splitlines())
        spec += f"  jobTemplate:\n    spec:\n      template:\n{inner}\n"
    else:
        spec += f"  template:\n{template}"
    more = f"  annotations: {{{top}}}\n" if top else ""
    head = f"apiVersion: {api}\nkind: {kind}\nmetadata:\n  name: {name}\n{more}"
    return f"{head}spec:\n{spec}"


ON = 'dapr.io/enabled: "true"'
BILLING = f"{ON}, dapr.io/app-id: billing"
ORDERS = app("orders").replace("  namespace: tasks\n", "")
SURE = [
    ("Deployment", "apps/v1"),
    ("StatefulSet", "apps/v1"),
    ("DaemonSet", "apps/v1"),
    ("ReplicaSet", "apps/v1"),
    ("ReplicationController", "v1"),
    ("Job", "batch/v1"),
    ("CronJob", "batch/v1"),
    ("Rollout", "argoproj.io/v1alpha1"),
    ("Service", "serving.knative.dev/v1"),
]


@pytest.mark.parametrize(("kind", "api"), SURE)
def test_whatever_makes_pods_deploys_the_app_of_its_pod_template(tmp_path, kind, api):
    write(tmp_path, a=ORDERS, b=workload(kind, api, BILLING), s=STORE)
    found = inspect([tmp_path], [source(tmp_path)])
    assert about(found, "sidecar") == []
    assert broken(found) == []
    assert about(found, "namespace")[0].why == "2 apps, all in default"


@pytest.mark.parametrize(("kind", "api"), SURE)
def test_annotations_beside_the_pod_template_give_no_sidecar(tmp_path, kind, api):
    wrong = workload(kind, api, 'prometheus.io/scrape: "true"', top=BILLING)
    write(tmp_path, a=ORDERS, b=wrong, s=STORE)
    found = inspect([tmp_path], [source(tmp_path)])
    (one,) = about(found, "sidecar")
    assert (one.state, line_of(one)) == ("broken", f"annotations: {{{BILLING}}}")
    assert one.fix.endswith("template.metadata.annotations")
    assert "names" in broken(found)


def test_labels_of_the_pod_template_are_no_annotations(tmp_path):
    text = workload("Deployment", "apps/v1", "a: b").replace("annotations: {a: b}", "labels: {L}")
    write(tmp_path, b=text.replace("L", BILLING), s=STORE)
    assert broken(inspect([tmp_path])) == ["sidecar"]


def test_a_pod_is_judged_by_its_own_annotations_and_its_name(tmp_path):
    pod = f"apiVersion: v1\nkind: Pod\nmetadata: {{name: billing, annotations: {{{ON}}}}}\n"
    write(tmp_path, a=ORDERS, b=pod, s=STORE)
    assert broken(inspect([tmp_path], [source(tmp_path)])) == []
    write(tmp_path, b=pod.replace("name: billing, ", "generateName: billing-, "))
    assert broken(inspect([tmp_path])) == ["sidecar"]


@pytest.mark.parametrize(("kind", "api"), [k for k in SURE if k[0] != "StatefulSet"])
def test_a_pod_without_a_name_of_its_own_needs_an_app_id(tmp_path, kind, api):
    write(tmp_path, a=ORDERS, b=workload(kind, api, ON), s=STORE)
    found = inspect([tmp_path], [source(tmp_path)])
    (one,) = about(found, "sidecar")
    assert one.state == "broken"
    assert "add dapr.io/app-id: billing" in one.fix


def test_the_pods_of_a_stateful_set_are_apps_by_their_own_names(tmp_path):
    text = workload("StatefulSet", "apps/v1", ON, spec="  replicas: 2\n")
    write(tmp_path, a=ORDERS, b=text, s=STORE)
    found = inspect([tmp_path], [source(tmp_path)])
    assert [f.state for f in about(found, "sidecar")] == ["note"]
    assert "call one of: billing-0, billing-1, orders" in about(found, "names")[0].fix
    numbered = source(tmp_path, "call_activity('charge', app_id='billing-1')")
    assert broken(inspect([tmp_path], [numbered])) == []


@pytest.mark.parametrize(
    ("notes", "words"),
    [
        (f'{ON}, dapr.io/app-id: ""', "has no dapr.io/app-id"),
        (f"{ON}, dapr.io/app-id: Billing", "small letters"),
        (f"{ON}, dapr.io/app-id: billing.v1", "small letters"),
        (f'{ON}, dapr.io/app-id: "bill ing"', "small letters"),
        (f'{ON}, dapr.io/app-id: "billing\\n"', "small letters"),
        (f"{ON}, dapr.io/app-id: {'b' * 59}", "longer than 58"),
        ("dapr.io/app-id: billing", "no dapr.io/enabled"),
        ('dapr.io/enabled: "yes", dapr.io/app-id: billing', 'only "true" counts'),
        ("dapr.io/enabled: true, dapr.io/app-id: billing", "in quotes only"),
        (f"{BILLING}, dapr.io/app-port: 8080", "in quotes only"),
        (f'{BILLING}, dapr.io/placement-host-address: ""', "no placement"),
        (f"{BILLING}, dapr.io/placement-host-address: \"''\"", "no placement"),
        (f'{BILLING}, dapr.io/scheduler-host-address: " "', "no scheduler"),
    ],
)
def test_annotations_that_leave_a_pod_without_a_working_sidecar(tmp_path, notes, words):
    write(tmp_path, b=workload("Deployment", "apps/v1", notes), s=STORE)
    (one,) = about(inspect([tmp_path]), "sidecar")
    assert one.state == "broken"
    assert words in one.why
    assert one.fix


@pytest.mark.parametrize("notes", ['dapr.io/enabled: "false", dapr.io/app-id: billing', "a: b"])
def test_a_pod_that_asks_for_no_sidecar_is_left_alone(tmp_path, notes):
    write(tmp_path, a=ORDERS, b=workload("Deployment", "apps/v1", notes), s=STORE)
    assert broken(inspect([tmp_path])) == []


@pytest.mark.parametrize(
    ("app_id", "is_valid"),
    [("a", 1), ("1st", 1), ("a-", 1), ("b" * 58, 1), ("", 0), ("-a", 0), ("a_b", 0), ("ä", 0)],
)
def test_an_app_id_is_valid_when_its_service_has_a_valid_name(app_id, is_valid):
    assert bool(is_valid) == (not invalid(app_id))


@pytest.mark.parametrize(
    "text",
    [
        workload("CloneSet", "apps.kruise.io/v1alpha1", BILLING),
        f"""\
apiVersion: core.openfunction.io/v1beta1
kind: Function
metadata: {{name: billing}}
spec:
  serving:
    annotations: {{{BILLING}}}
""",
        f"""\
apiVersion: example.com/v1
kind: Thing
metadata: {{name: billing, annotations: {{{BILLING}}}}}
""",
    ],
)
def test_of_a_kind_with_a_controller_of_its_own_it_cannot_be_known(tmp_path, text):
    write(tmp_path, a=ORDERS, b=text, s=STORE)
    found = inspect([tmp_path], [source(tmp_path)])
    assert [f.state for f in about(found, "sidecar")] == ["cannot be known"]
    assert [f.state for f in about(found, "names")] == ["cannot be known"]
    assert broken(found) == []


def test_an_app_inside_an_object_of_another_kind_cannot_be_known(tmp_path):
    inner = workload("Deployment", "apps/v1", BILLING).replace("\n", "\n  ")
    text = f"apiVersion: template.openshift.io/v1\nkind: Template\nobjects:\n- {inner}"
    write(tmp_path, a=ORDERS, b=text, s=STORE)
    found = inspect([tmp_path], [source(tmp_path)])
    assert [f.state for f in about(found, "names")] == ["cannot be known"]
    assert broken(found) == []


@pytest.mark.parametrize(
    ("api", "kind"),
    [
        ("argoproj.io/v1alpha1", "Application"),
        ("helm.toolkit.fluxcd.io/v2", "HelmRelease"),
        ("kustomize.toolkit.fluxcd.io/v1", "Kustomization"),
    ],
)
def test_what_deploys_from_elsewhere_may_deploy_the_app(tmp_path, api, kind):
    text = f"apiVersion: {api}\nkind: {kind}\nmetadata: {{name: shop}}\nspec: {{path: x}}\n"
    write(tmp_path, a=ORDERS, b=text, s=STORE)
    found = inspect([tmp_path], [source(tmp_path)])
    assert about(found, "names")[0].why.endswith(f"not read: {kind} shop")
    assert broken(found) == []


@pytest.mark.parametrize("app_id", ["${APP_ID}", "$(APP_ID)", "#{app}#", "<app>", "%APP%"])
def test_an_app_id_that_is_filled_in_later_cannot_be_known(tmp_path, app_id):
    text = workload("Deployment", "apps/v1", f'{ON}, dapr.io/app-id: "{app_id}"')
    write(tmp_path, a=ORDERS, b=text, s=STORE)
    found = inspect([tmp_path], [source(tmp_path)])
    assert [f.state for f in about(found, "sidecar")] == ["cannot be known"]
    assert [f.state for f in about(found, "names")] == ["cannot be known"]
    assert broken(found) == []


@pytest.mark.parametrize(
    ("kind", "api", "spec"),
    [
        ("Deployment", "apps/v1", "replicas: 0"),
        ("Job", "batch/v1", "suspend: true"),
        ("Job", "batch/v1", "parallelism: 0"),
        ("CronJob", "batch/v1", "suspend: true"),
    ],
)
def test_a_workload_that_makes_no_pods_yet_may_not_be_there(tmp_path, kind, api, spec):
    text = workload(kind, api, BILLING, spec=f"  {spec}\n")
    write(tmp_path, a=ORDERS, b=text, s=STORE)
    found = inspect([tmp_path], [source(tmp_path)])
    assert [f.state for f in about(found, "sidecar")] == ["cannot be known"]
    assert "whether its sidecar runs" in about(found, "names")[0].why


LABELS = "    metadata:\n      labels: {app: billing}\n"


@pytest.mark.parametrize(
    ("selector", "words"),
    [("{app: bill}", "its pods have app: billing"), ("{team: x}", "its pods have no label team")],
)
def test_pods_that_their_own_workload_does_not_select_are_refused(tmp_path, selector, words):
    spec = f"  selector: {{matchLabels: {selector}}}\n"
    text = workload("Deployment", "apps/v1", BILLING, spec=spec)
    write(tmp_path, a=ORDERS, b=text.replace("    metadata:\n", LABELS), s=STORE)
    (one,) = about(inspect([tmp_path], [source(tmp_path)]), "sidecar")
    assert one.state == "broken"
    assert words in one.why


def test_pods_that_their_workload_selects_are_deployed(tmp_path):
    spec = "  selector: {matchLabels: {app: billing}}\n"
    text = workload("Deployment", "apps/v1", BILLING, spec=spec)
    write(tmp_path, a=ORDERS, b=text.replace("    metadata:\n", LABELS), s=STORE)
    assert about(inspect([tmp_path], [source(tmp_path)]), "sidecar") == []


def test_manifests_in_json_are_read_from_a_folder_where_they_name_dapr(tmp_path):
    body = yaml.safe_load(workload("Deployment", "apps/v1", BILLING))
    (tmp_path / "billing.json").write_text(json.dumps(body))
    (tmp_path / "package.json").write_text("{")
    write(tmp_path, a=ORDERS, s=STORE)
    assert about(inspect([tmp_path]), "namespace")[0].why == "2 apps, all in default"


@pytest.mark.parametrize("kind", ["Service", "Namespace", "Ingress"])
def test_annotations_of_what_makes_no_pods_say_nothing(tmp_path, kind):
    text = f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: x, annotations: {{{BILLING}}}}}\n"
    write(tmp_path, a=ORDERS, b=text, s=STORE)
    assert about(inspect([tmp_path]), "sidecar") == []


def test_a_template_of_jobs_inside_another_kind_is_found(tmp_path):
    text = workload("ScaledJob", "keda.sh/v1alpha1", BILLING).replace(
        "  template:", "  jobTargetRef:\n   template:"
    )
    write(tmp_path, a=ORDERS, b=text, s=STORE)
    found = inspect([tmp_path], [source(tmp_path)])
    assert about(found, "sidecar") == []
    assert about(found, "namespace")[0].why == "2 apps, all in default"


def test_a_sidecar_that_stands_in_the_pod_already_is_not_known_further(tmp_path):
    text = workload("Deployment", "apps/v1", "a: b").replace(
        "image: billing:1}",
        'image: billing:1}, {name: daprd, args: ["--app-id", "billing", "--app-port", "80"]}',
    )
    write(tmp_path, a=ORDERS, b=text, s=STORE)
    found = inspect([tmp_path], [source(tmp_path)])
    assert [f.state for f in about(found, "names")] == ["cannot be known"]


def test_two_workloads_with_one_app_id_are_noted_once(tmp_path):
    second = workload("Deployment", "apps/v1", BILLING, name="billing-2")
    other = second.replace("billing:1", "other:1")
    write(tmp_path, a=workload("Deployment", "apps/v1", BILLING), b=other, s=STORE)
    found = inspect([tmp_path])
    (one,) = about(found, "sidecar")
    assert one.state == "note"
    assert "they run different images" in one.why
    assert len(about(found, "state store")) == 1


def test_apps_that_ask_different_placements_may_not_meet(tmp_path):
    notes = f"{BILLING}, dapr.io/placement-host-address: other:50005"
    write(tmp_path, a=ORDERS, b=workload("Deployment", "apps/v1", notes), s=STORE)
    (one,) = about(inspect([tmp_path]), "sidecar")
    assert one.state == "cannot be known"
    same = notes.replace("other:", "dapr-placement-server.dapr-system.svc.cluster.local:")
    write(tmp_path, b=workload("Deployment", "apps/v1", same))
    assert about(inspect([tmp_path]), "sidecar") == []


@pytest.mark.parametrize(
    ("note", "why"),
    [
        ("log-level: loud", "log-level is 'loud', not debug, info, warn, error or fatal"),
        ("app-protocol: smtp", "app-protocol is 'smtp', not http, https, grpc, grpcs or h2c"),
        ("max-body-size: 8MB", "max-body-size is '8MB', not a size such as 8Mi"),
        ("read-buffer-size: much", "read-buffer-size is 'much', not a size such as 8Mi"),
        ("block-shutdown-duration: '30'", "is '30', not a duration such as 30s"),
        ("actors-disseminate-timeout: soon", "is 'soon', not a duration such as 30s"),
    ],
)
def test_an_annotation_with_which_a_sidecar_ends_is_broken(tmp_path, note, why):
    wrong = workload("Deployment", "apps/v1", f"{BILLING}, dapr.io/{note}")
    write(tmp_path, a=ORDERS, b=wrong, s=STORE)
    found = about(inspect([tmp_path], [source(tmp_path)]), "sidecar")
    assert [f.state for f in found] == ["broken"]
    assert "the sidecar of Deployment billing ends as it starts" in found[0].why
    assert found[0].why.endswith(why)
    assert note in line_of(found[0])


@pytest.mark.parametrize(
    ("note", "why", "fix"),
    [
        ("app-port: eighty", "no whole number: Dapr leaves the annotation out", "whole number"),
        ("sidecar-cpu-limit: half", "leaves out all limits of the sidecar", "500m"),
        ("confg: tracing", "Dapr 1.18 knows no annotation dapr.io/confg", "mean dapr.io/config?"),
        ("owner: us", "Dapr 1.18 knows no annotation dapr.io/owner of a pod", ""),
    ],
)
def test_an_annotation_that_does_nothing_is_said(tmp_path, note, why, fix):
    write(tmp_path, a=ORDERS, b=workload("Job", "batch/v1", f"{BILLING}, dapr.io/{note}"), s=STORE)
    found = inspect([tmp_path], [source(tmp_path)])
    assert broken(found) == []
    (said,) = about(found, "sidecar")
    assert (said.state, why in said.why, fix in said.fix) == ("note", True, True), said


@pytest.mark.parametrize(
    "note",
    [
        *("log-level: WARN", "app-protocol: H2C", "max-body-size: 8Mi", "app-port: '80'"),
        *("block-shutdown-duration: 1m30s", "log-level: ''", "log-level: ${LEVEL}"),
        *("sidecar-cpu-limit: 500m", "graceful-shutdown-seconds: '-1'", "enable-debug: maybe"),
    ],
)
def test_an_annotation_that_dapr_takes_is_no_finding(tmp_path, note):
    write(tmp_path, a=ORDERS, b=workload("Job", "batch/v1", f"{BILLING}, dapr.io/{note}"), s=STORE)
    assert about(inspect([tmp_path], [source(tmp_path)]), "sidecar") == []
