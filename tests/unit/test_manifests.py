"""Kubernetes manifests as the apps of a lab, before anything is started."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest
import yaml

from labkit import manifests
from labkit.infrastructure import redis
from labkit.labs import deployments
from labkit.manifests import WrongManifest
from labkit.preflight import load as read_manifests
from labkit.runfile import daprd_flags
from tests.support.cluster import apply, component, deployment, thing

REPO = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_STATE", str(tmp_path / "state"))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "course"


def loaded(folder, *documents, **how):
    """The apps of some documents, by app ID."""
    files = how.pop("files", {})
    return {a.app_id: a for a in manifests.load(apply(folder, *documents, **files), **how).apps}


def one(folder, **how):
    return loaded(folder, deployment("target", **how))["target"]


def refusal(folder, *documents, **files):
    with pytest.raises(WrongManifest) as told:
        manifests.load(apply(folder, *documents, **files))
    return told.value


def line_of(error):
    """The line that an error points to."""
    file, line = error.look_at.split(":")[:2]
    return Path(file).read_text().splitlines()[int(line) - 1].strip()


def copies(app):
    """The resources of an app, by kind and name."""
    (place,) = app.resources
    found = [yaml.safe_load(file.read_text()) for file in place.iterdir()]
    return {f"{d['kind']} {d['metadata']['name']}": d for d in found}


def rows(app, name="statestore"):
    return {r["name"]: r for r in copies(app)[f"Component {name}"]["spec"]["metadata"]}


def secret(**data):
    return thing("Secret", "keys", stringData=data)


# --- one reader -----------------------------------------------------------------------------------


def test_a_lab_takes_the_apps_that_preflight_reads(folder):
    place = apply(folder, deployment("one"), deployment("two", "work"), component())
    read = [(a.app_id, a.namespace) for a in read_manifests([place]).apps]
    assert [(a.app_id, a.namespace) for a in manifests.load(place).apps] == read
    assert read == [("one", "tasks"), ("two", "work")]


def test_a_folder_without_a_run_file_is_read_as_manifests(folder):
    place = apply(folder, deployment("one"))
    assert isinstance(deployments.load(place), manifests.Deployed)
    assert not isinstance(deployments.load(REPO / "services"), manifests.Deployed)


# --- which folder stands for an image -------------------------------------------------------------


def test_the_name_of_an_image_is_the_name_of_a_folder_beside_the_manifests(folder):
    app = one(folder, container={"image": "registry.example.com:5000/team/worker:1.0@sha256:ab"})
    assert app.folder == folder / "worker"
    assert app.command == ("python3", "main.py")


def test_a_service_of_the_course_is_found_by_its_image(folder):
    app = one(folder, container={"image": "example.com/audit-service:1.0"})
    assert app.folder == REPO / "services" / "audit-service"


@pytest.mark.parametrize("key", ["example.com/other", "example.com/other:2.0"])
def test_an_image_can_be_given_a_folder(folder, key):
    documents = [deployment("target", container={"image": "example.com/other:2.0"})]
    app = loaded(folder, *documents, images={key: folder / "older"})["target"]
    assert app.folder == folder / "older"


def test_an_image_without_a_folder_is_named_with_its_line(folder):
    error = refusal(folder, deployment("target", container={"image": "example.com/nobody:1.0"}))
    assert line_of(error) == "- name: service" or "nobody" in line_of(error)
    assert "images={'example.com/nobody': FOLDER}" in error.fix


def test_command_and_args_of_the_container_count(folder):
    given = {"command": ["/usr/local/bin/python3.12", "main.py"], "args": ["--fast"]}
    assert one(folder, container=given).command == ("python3", "main.py", "--fast")
    assert one(folder, container={"args": ["x"]}).command == ("python3", "main.py", "x")
    assert one(folder, container={"command": ["sleep", "9"]}).command == ("sleep", "9")


def test_a_service_with_an_environment_of_its_own_is_run_by_it(folder):
    apply(folder)
    python = folder / "worker" / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    assert one(folder).command == (".venv/bin/python", "main.py")


def test_an_image_with_nothing_to_run_is_refused(folder):
    place = apply(folder, deployment("target"))
    (folder / "worker" / "main.py").unlink()
    with pytest.raises(WrongManifest, match="nothing to run"):
        manifests.load(place)


# --- what a pod becomes ---------------------------------------------------------------------------


def test_annotations_become_flags_of_the_sidecar(folder):
    notes = {
        "dapr.io/log-level": "debug",
        "dapr.io/app-port": "8001",
        "dapr.io/graceful-shutdown-seconds": "9",
        "dapr.io/block-shutdown-duration": "3s",
        "dapr.io/enable-api-logging": "true",
    }
    app = one(folder, notes=notes)
    flags = " ".join(daprd_flags(app))
    assert "--log-level debug" in flags
    assert "--dapr-graceful-shutdown-seconds 9 --dapr-block-shutdown-duration 3s" in flags
    assert flags.endswith("--enable-api-logging")
    assert app.serves
    assert app.app_port is None, "two pods may have one port, two processes not"


def test_a_number_that_is_none_is_named_with_its_line(folder):
    notes = {"dapr.io/graceful-shutdown-seconds": "soon"}
    assert "soon" in line_of(refusal(folder, deployment("target", notes=notes)))


def test_grace_period_and_hook_are_read(folder):
    assert one(folder).grace_seconds == 30
    hook = {"lifecycle": {"preStop": {"sleep": {"seconds": 3}}}}
    app = one(folder, container=hook, terminationGracePeriodSeconds=5)
    assert (app.grace_seconds, app.pre_stop.seconds) == (5, 3)


def test_the_environment_is_that_of_the_container(folder):
    env = [
        {"name": "PLAIN", "value": "1"},
        {"name": "JOINED", "value": "$(PLAIN)-$(LACKING)-$$(PLAIN)"},
        {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "a"}}},
        {"name": "WHERE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
    ]
    sets = [{"configMapRef": {"name": "words"}, "prefix": "W_"}]
    app = loaded(
        folder,
        deployment("target", container={"env": env, "envFrom": sets}),
        secret(a="b"),
        thing("ConfigMap", "words", data={"x": "y"}),
    )["target"]
    expected = {"PLAIN": "1", "JOINED": "1-$(LACKING)-$(PLAIN)", "SECRET": "b", "WHERE": "tasks"}
    assert app.env == {**expected, "W_x": "y", "NAMESPACE": "tasks"}


def test_a_secret_in_base64_is_decoded_and_another_text_refused(folder):
    env = [{"name": "S", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "a"}}}]
    app = deployment("target", container={"env": env})
    kept = thing("Secret", "keys", data={"a": base64.b64encode(b"b").decode()})
    assert loaded(folder, app, kept)["target"].env["S"] == "b"
    assert line_of(refusal(folder, app, thing("Secret", "keys", data={"a": "b!"}))) == "a: b!"


@pytest.mark.parametrize("kind", ["secretKeyRef", "configMapKeyRef"])
def test_what_the_kubelet_would_wait_for_is_named_with_its_line(folder, kind):
    env = [{"name": "S", "valueFrom": {kind: {"name": "keys", "key": "none"}}}]
    error = refusal(folder, deployment("target", container={"env": env}))
    assert line_of(error) == f"{kind}:"
    assert "keys" in error.found
    env[0]["valueFrom"][kind]["optional"] = True
    assert "S" not in one(folder, container={"env": env}).env


def test_a_variable_that_is_no_text_is_refused_as_by_kubernetes(folder):
    error = refusal(folder, deployment("target", container={"env": [{"name": "N", "value": 1}]}))
    assert error.fix == 'write value: "1"'


def test_where_the_mail_server_is_the_lab_knows_better(folder):
    env = [
        {"name": "SMTP_HOST", "value": "mail.tasks.svc"},
        {"name": "DAPR_GRPC_PORT", "value": "1"},
    ]
    place = apply(folder, deployment("target", container={"env": env}))
    read = manifests.load(place)
    assert set(read.apps[0].env) == {"NAMESPACE"}
    assert any("SMTP_HOST, DAPR_GRPC_PORT" in line for line in read.not_shown)


# --- namespaces and resources ---------------------------------------------------------------------


def test_each_namespace_has_resources_of_its_own(folder):
    apps = loaded(
        folder,
        deployment("one"),
        deployment("two", "work"),
        component(),
        component("state.sqlite", namespace="work"),
    )
    kinds = {a: copies(app)["Component statestore"]["spec"]["type"] for a, app in apps.items()}
    assert kinds == {"one": "state.redis", "two": "state.sqlite"}
    assert [apps[a].env["NAMESPACE"] for a in ("one", "two")] == ["tasks", "work"]


def test_a_document_without_a_namespace_goes_where_kubectl_puts_it(folder):
    app, store = deployment("target"), component()
    del app["metadata"]["namespace"], store["metadata"]["namespace"]
    target = loaded(folder, app, store, component(namespace="tasks", name="other"))["target"]
    assert (target.namespace, *copies(target)) == ("default", "Component statestore")
    target = loaded(folder, app, store, namespace="tasks")["target"]
    assert (target.namespace, *copies(target)) == ("tasks", "Component statestore")


def test_redis_of_a_service_is_the_redis_of_the_lab_and_two_hosts_are_two_databases(folder):
    documents = [
        component(redisPassword={"secretKeyRef": {"name": "keys", "key": "a"}}, enableTLS="true"),
        component(name="other", redisHost="redis.other.svc:6379", actorStateStore="false"),
    ]
    app = loaded(folder, deployment("target"), *documents, secret(a="b"))["target"]
    here, there = rows(app), rows(app, "other")
    assert here["redisHost"] == {"name": "redisHost", "envRef": "REDIS_HOST"}
    assert here["redisPassword"] == {"name": "redisPassword", "envRef": "REDIS_PASSWORD"}
    assert "enableTLS" not in here
    assert {here["redisDB"]["value"], there["redisDB"]["value"]} == {"0", "1"}
    assert here["actorStateStore"]["value"] == "true"


def test_a_store_that_is_not_here_is_kept_in_sqlite_and_that_is_said(folder):
    store = component("state.postgresql", connectionString="host=db.tasks.svc")
    read = manifests.load(apply(folder, deployment("target"), store))
    assert rows(read.apps[0])["connectionString"]["value"] == "tasks-statestore.sqlite"
    assert rows(read.apps[0])["actorStateStore"]["value"] == "true"
    assert any("kept in SQLite: this lab has no state.postgresql" in n for n in read.not_shown)


def test_without_a_redis_server_a_store_is_kept_in_sqlite(folder, monkeypatch):
    def nowhere():
        raise redis.NoRedis("none", asked="", found="", look_at="", fix="")

    monkeypatch.setattr("labkit.manifests.resources.redis.redis_server", nowhere)
    app = loaded(folder, deployment("target"), component())["target"]
    assert copies(app)["Component statestore"]["spec"]["type"] == "state.sqlite"


def test_what_a_lab_has_not_is_left_out_and_said(folder):
    read = manifests.load(
        apply(folder, deployment("target"), component("pubsub.kafka", "events", brokers="kafka:9"))
    )
    assert copies(read.apps[0]) == {}
    assert any("Component events" in n and "no pubsub.kafka" in n for n in read.not_shown)


def test_secrets_of_a_namespace_are_its_store_of_secrets(folder):
    documents = [component("state.sqlite", connectionString="x.sqlite"), secret(a="b")]
    app = loaded(folder, deployment("target"), *documents)["target"]
    file = Path(rows(app, "kubernetes")["secretsFile"]["value"])
    assert json.loads(file.read_text()) == {"keys": {"a": "b"}}
    assert file.stat().st_mode & 0o077 == 0


def test_a_configuration_names_nothing_outside_of_this_machine(folder):
    spec = {
        "tracing": {"samplingRate": "1", "zipkin": {"endpointAddress": "http://zipkin.svc:9411"}},
        "nameResolution": {"component": "mdns", "version": "v1", "configuration": {}},
        "workflow": {"maxConcurrentActivityInvocations": 3},
    }
    config = thing("Configuration", "limits", "dapr.io/v1alpha1", spec=spec)
    app = loaded(folder, deployment("target", notes={"dapr.io/config": "limits"}), config)["target"]
    made = yaml.safe_load(app.config.read_text())["spec"]
    expected = {"samplingRate": "1"}
    assert made == {"tracing": expected, "workflow": {"maxConcurrentActivityInvocations": 3}}


def test_a_configuration_that_is_not_there_is_named_with_its_line(folder):
    error = refusal(folder, deployment("target", notes={"dapr.io/config": "limits"}))
    assert line_of(error) == "dapr.io/config: limits"


def test_of_two_documents_of_one_name_the_second_counts(folder):
    documents = [component(), component(keyPrefix="name")]
    app = loaded(folder, deployment("target"), *documents)["target"]
    assert rows(app)["keyPrefix"]["value"] == "name"


def test_a_resource_that_has_not_changed_keeps_its_time(folder):
    place = apply(folder, deployment("target"), component())
    (file,) = manifests.load(place).apps[0].resources[0].iterdir()
    os.utime(file, (1, 1))
    manifests.load(place)
    assert file.stat().st_mtime == 1
    apply(folder, deployment("target"), component(name="other"))
    (other,) = manifests.load(place).apps[0].resources[0].iterdir()
    assert other.name == "Component-other.yaml", "what is not in the manifests any more is gone"


# --- what is refused, and what is said ------------------------------------------------------------


def test_yaml_that_cannot_be_read_is_named_with_its_line(folder):
    error = refusal(folder, apps="kind: [Deployment\nspec: }\n")
    assert error.look_at.split(":")[1] == "2"


def test_what_kubernetes_would_refuse_is_named_with_its_line(folder):
    store = component()
    store["spec"]["type"] = ["state.redis"]
    error = refusal(folder, deployment("target"), store)
    assert line_of(error) == "type:"


def test_what_has_to_be_rendered_first_is_refused(folder):
    recipe = "resources: [all.yaml]\nnamePrefix: test-\n"
    place = apply(folder, deployment("target"))
    (place / "kustomization.yaml").write_text(recipe)
    with pytest.raises(WrongManifest) as told:
        manifests.load(place)
    assert "kubectl kustomize" in told.value.fix


def test_one_app_id_in_two_workloads_is_refused(folder):
    error = refusal(folder, deployment("target"), deployment("target", "work"))
    assert "a lab knows apps by app ID" in error.found


def test_a_folder_without_apps_is_refused(folder):
    assert "no pod with a sidecar" in str(refusal(folder, component()))
    with pytest.raises(WrongManifest, match="no such folder"):
        manifests.load(folder / "nowhere")


def test_pods_without_a_sidecar_are_not_started_and_that_is_said(folder):
    outside = deployment("outside")
    outside["metadata"]["annotations"] = outside["spec"]["template"]["metadata"].pop("annotations")
    none = deployment("none")
    none["spec"]["replicas"] = 0
    plain = deployment("plain", notes={"dapr.io/enabled": "false"})
    read = manifests.load(apply(folder, deployment("target"), outside, none, plain))
    assert [a.app_id for a in read.apps] == ["target"]
    told = "\n".join(read.not_shown)
    assert "outside gets no sidecar" in told
    assert "Deployment none has no pods: replicas is 0" in told
    assert "Deployment plain is not started" in told


@pytest.mark.parametrize(
    ("kind", "api"),
    [
        ("NetworkPolicy", "networking.k8s.io/v1"),
        ("HorizontalPodAutoscaler", "autoscaling/v2"),
        ("PodDisruptionBudget", "policy/v1"),
        ("WorkflowAccessPolicy", "dapr.io/v1alpha1"),
    ],
)
def test_what_does_not_act_is_said(folder, kind, api):
    rules = {
        "rules": [{"callers": [{"appID": "a"}], "activities": [{"name": "b", "action": "allow"}]}]
    }
    spec = rules if kind == "WorkflowAccessPolicy" else {}
    read = manifests.load(apply(folder, deployment("target"), thing(kind, "it", api, spec=spec)))
    assert any(line.startswith(f"{kind} it: ") for line in read.not_shown)


def test_probes_limits_and_replicas_do_not_act_and_that_is_said(folder):
    more = {
        "readinessProbe": {"exec": {"command": ["true"]}},
        "resources": {"limits": {"cpu": "1"}},
    }
    app = deployment("target", container=more, nodeSelector={"disk": "fast"})
    app["spec"]["replicas"] = 3
    told = "\n".join(manifests.load(apply(folder, app)).not_shown)
    for word in ("probes: ", "requests and limits: ", "scheduling: ", "asks for 3 pods", "mTLS: "):
        assert word in told
