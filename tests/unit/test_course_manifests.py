"""The manifests of the course: valid, whole, and found right by our own preflight."""

from __future__ import annotations

from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from labkit import manifests
from labkit.preflight import inspect
from labkit.runfile import load as load_run_file

REPO = Path(__file__).parents[2]
COURSE = REPO / "components" / "kubernetes" / "course"
FILES = sorted(COURSE.glob("*.yaml"))
DOCUMENTS = [d for file in FILES for d in yaml.safe_load_all(file.read_text())]


def of_kind(kind):
    return [d for d in DOCUMENTS if d["kind"] == kind]


def apps():
    pods = {d["metadata"]["name"]: d["spec"]["template"] for d in of_kind("Deployment")}
    return {n: p for n, p in pods.items() if p["metadata"].get("annotations")}


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_STATE", str(tmp_path / "state"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_manifest_is_valid_in_the_newest_kubernetes(file):
    version = kubernetes_validate.latest_version()
    for body in yaml.safe_load_all(file.read_text()):
        if not body["apiVersion"].startswith("dapr.io/"):  # those are preflight's, see below
            kubernetes_validate.validate(body, version, strict=True)


def test_preflight_finds_nothing_broken_and_dapr_would_take_every_document():
    sources = [REPO / "services" / app / "main.py" for app in apps()]
    found = inspect([COURSE], sources)
    assert [f for f in found if f.state == "broken"] == []
    held = {f.requirement for f in found if f.state == "holds"}
    assert held == {"namespace", "state store"}
    assert not any(f.requirement == "schema" for f in found)


def test_they_deploy_the_apps_of_the_run_file():
    run_file = load_run_file(REPO / "services" / "dapr.yaml")
    deployed = {a.app_id: a.folder for a in manifests.load(COURSE).apps}
    assert deployed == {a.app_id: a.folder for a in run_file.apps}


def test_every_app_has_a_probe_limits_and_a_grace_period():
    for name, pod in apps().items():
        (container,) = pod["spec"]["containers"]
        assert container["readinessProbe"], name
        assert container["resources"]["limits"]["memory"], name
        assert pod["spec"]["terminationGracePeriodSeconds"] >= 30, name


def test_what_points_to_an_app_points_to_one_that_is_there():
    (scaler,) = of_kind("HorizontalPodAutoscaler")
    assert scaler["spec"]["scaleTargetRef"]["name"] in apps()
    budgets = [d["spec"]["selector"]["matchLabels"]["app"] for d in of_kind("PodDisruptionBudget")]
    assert set(budgets) <= set(apps())
    (store,) = of_kind("Component")
    assert set(store["scopes"]) == set(apps())


def test_an_app_that_writes_to_a_disk_does_not_run_twice():
    for deployment in of_kind("Deployment"):
        spec = deployment["spec"]
        if spec["template"]["spec"].get("volumes"):
            assert spec["replicas"] == 1
            assert spec["strategy"] == {"type": "Recreate"}
