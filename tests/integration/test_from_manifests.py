"""Kubernetes manifests run as processes: the faults of a deployment happen, and what a pod does."""

from __future__ import annotations

import signal
import subprocess
import sys

import grpc
import psutil
import pytest
import yaml

from labkit import Lab
from labkit.apps.podend import handles_sigterm
from labkit.labs.lab import NoPod
from labkit.waiting import wait_until
from tests.support.cluster import apply, component, deployment, thing

WITHIN = 60.0


@pytest.fixture
def deployed(tmp_path):
    """Start what documents deploy, once for a test."""
    started = []

    def start(*documents, **how):
        started.append(Lab.from_manifests(apply(tmp_path / "course", *documents), **how))
        started[-1].up(announce=False)
        return started[-1]

    yield start
    for lab in started:
        lab.down()


def run(lab, workflow, app, caller="caller"):
    """Start a workflow of the caller that makes one call to an app."""
    instance_id = f"{caller}-{workflow}-{app}"
    lab.client(caller).schedule_new_workflow(workflow, input=app, instance_id=instance_id)
    return lab.run(instance_id)


def ends(lab, workflow, app, caller="caller"):
    return run(lab, workflow, app, caller).wait(WITHIN).status


def waits(lab, runs, *words):
    """Wait until the caller's sidecar reports all of this; return the states of the runs."""
    said = lab.app("caller").logs
    wait_until(
        lambda: all(w in said("sidecar") for w in words),
        what="what the caller reports",
        usual=WITHIN,
    )
    return {one.status for one in runs}


def test_the_faults_that_keep_a_call_from_its_app(deployed):
    lab = deployed(
        deployment("caller"),
        deployment("target"),  # its app ID is misspelt by the caller below
        deployment("idle", container={"command": ["sleep", "600"]}),  # no worker
        deployment("elsewhere", "payments"),  # another namespace
        deployment("older", container={"image": "example.com/older:0.9"}),  # no such name
        component(),
        component(namespace="payments"),
    )
    assert ends(lab, "activity", "target") == ends(lab, "child", "target") == "COMPLETED"
    absent = ("targit", "idle", "elsewhere")
    runs = [run(lab, "activity", app) for app in absent]
    asked = [f"dapr.internal.tasks.{app}.activity" for app in absent]
    assert waits(lab, runs, *asked) == {"RUNNING"}
    assert lab.app("idle").connected_workers() == 0
    assert set(lab.placement_state()["tables"]) == {"tasks", "payments"}
    assert ends(lab, "activity", "older") == "FAILED"
    assert "'work' was not registered" in lab.run("caller-activity-older").failure.message


def test_the_faults_of_an_actor_state_store_on_either_side(deployed):
    lab = deployed(
        deployment("caller"),
        deployment("target"),
        deployment("lonely"),
        component(scopes=["caller"]),
    )
    assert ends(lab, "activity", "target") == "COMPLETED"
    assert waits(lab, [run(lab, "child", "target")], "state store is not configured") == {"RUNNING"}
    with pytest.raises(grpc.RpcError, match="state store is not configured"):
        run(lab, "activity", "target", caller="lonely")


def test_a_component_reaches_its_own_namespace_only(deployed):
    lab = deployed(deployment("caller"), deployment("other", "work"), component())
    assert ends(lab, "activity", "caller") == "COMPLETED"
    names = {a: lab.app(a).metadata().get("components", []) for a in ("caller", "other")}
    assert [c["name"] for c in names["caller"]] == ["statestore"]
    assert names["other"] == []


def test_a_secret_reaches_a_component_and_the_service(deployed):
    env = [{"name": "WORD", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "file"}}}]
    lab = deployed(
        deployment("caller", container={"env": env}),
        component(
            "state.sqlite", connectionString={"secretKeyRef": {"name": "keys", "key": "file"}}
        ),
        thing("Secret", "keys", stringData={"file": "of-the-secret.sqlite"}),
    )
    assert ends(lab, "activity", "caller") == "COMPLETED"
    assert (lab.folder / "of-the-secret.sqlite").stat().st_size > 0
    assert lab.app("caller").launch.env("worker")["WORD"] == "of-the-secret.sqlite"


def test_a_pod_ends_as_the_kubelet_ends_it(deployed):
    handling = "import os, signal\nsignal.signal(15, lambda *_: os._exit(0))\nimport main"
    hook = {"preStop": {"exec": {"command": ["touch", "hook-was-run"]}}}
    lab = deployed(
        deployment("deaf", terminationGracePeriodSeconds=1),
        deployment(
            "polite",
            container={"command": ["python3", "-c", handling], "lifecycle": hook},
            terminationGracePeriodSeconds=30,
        ),
        component(),
    )
    if handles_sigterm(lab.app("deaf").process("worker").pid) is None:
        pytest.skip("this system has no /proc")
    deaf = {e.part: e for e in lab.delete_pod("deaf", announce=False)}
    assert deaf["worker"].was_killed
    assert deaf["worker"].ignored
    assert deaf["worker"].seconds >= 1
    polite = {e.part: e for e in lab.delete_pod("polite", announce=False)}
    assert not any(e.was_killed for e in polite.values())
    assert (lab.app("polite").spec.folder / "hook-was-run").exists()
    lab.up("polite", announce=False)
    assert ends(lab, "activity", "polite", caller="polite") == "COMPLETED"


@pytest.mark.parametrize("handler", ["", "signal.signal(15, lambda *_: os._exit(0)); "])
def test_the_first_process_of_a_container_ignores_sigterm_without_a_handler(handler):
    code = f"import os, signal; {handler}print(flush=True); signal.pause()"
    inside = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"]
    argv = [*inside, sys.executable, "-c", code]
    try:
        first = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except FileNotFoundError:
        pytest.skip("this system has no unshare")
    with first:
        if not first.stdout.readline():
            pytest.skip("this user may not have a PID namespace")
        (child,) = psutil.Process(first.pid).children()
        assert handles_sigterm(child.pid) is bool(handler)
        child.send_signal(signal.SIGTERM)
        gone, _ = psutil.wait_procs([child], timeout=WITHIN if handler else 1)
        assert bool(gone) is bool(handler)
        first.kill()


def test_a_run_file_has_no_pods(make_lab, small):
    lab = make_lab(small)
    assert lab.not_shown == []
    lab.up("target", announce=False)
    with pytest.raises(NoPod):
        lab.delete_pod("target")


def test_the_service_is_called_at_a_port_of_the_lab(deployed):
    lab = deployed(
        deployment(
            "notification-service",
            notes={"dapr.io/app-port": "8001"},
            container={"image": "example.com/notification-service:1.0"},
        ),
        component(),
    )
    app = lab.app("notification-service")
    wait_until(lambda: app.connected_workers() == 1, what="its worker", usual=WITHIN)
    assert app.metadata()["appConnectionProperties"]["port"] == app.ports.app


def test_a_check_of_another_kernel_reads_the_same_manifests(deployed, tmp_path):
    from labkit.labs.attached import Attached

    app = deployment("caller", container={"image": "example.com/other:1.0"})
    images = {"example.com/other": tmp_path / "course" / "worker"}
    lab = deployed(app, component(), images=images)
    seen = Attached(lab.run_file.path)
    assert seen.app("caller").spec == lab.app("caller").spec
    seen.close()


def test_the_manifests_of_the_course_run_and_their_probe_asks_for_a_worker():
    order = {"task_id": "t", "title": "URGENT: outage", "assignee_email": "a@example.com"}
    order |= {"assignee_user_id": "user-a"}
    with Lab.from_manifests("components/kubernetes/course") as lab:
        lab.up(announce=False)
        client = lab.client("task-orchestrator-service")
        for name in ("task_with_audit", "task_with_priority"):
            client.schedule_new_workflow(name, input=order, instance_id=name)
            assert lab.run(name).wait(WITHIN).status == "COMPLETED"
        assert probe(lab, "audit-service") == 0
        lab.stop("audit-service", "worker", announce=False)
        app = lab.app("audit-service")
        wait_until(lambda: app.connected_workers() == 0, what="the worker is gone", usual=WITHIN)
        assert probe(lab, "audit-service") == 1
        assert app.is_healthy(), "the sidecar says that all is well"


def probe(lab, app_id):
    """Run the readiness probe of an app as the kubelet would; return its exit code."""
    file = lab.run_file.path / f"{app_id}.yaml"
    pod = next(yaml.safe_load_all(file.read_text()))["spec"]["template"]["spec"]
    command = pod["containers"][0]["readinessProbe"]["exec"]["command"]
    app = lab.app(app_id)
    return subprocess.run(command, env=app.launch.env("worker"), cwd=app.spec.folder).returncode
