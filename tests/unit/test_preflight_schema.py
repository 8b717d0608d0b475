"""Dapr's own kinds against Dapr's own schemas."""

from __future__ import annotations

import hashlib

import pytest

from labkit import paths
from labkit.preflight import inspect, schema
from tests.support.manifests import about, app, broken, line_of, run_file, store, write

HEAD = "apiVersion: dapr.io/v1alpha1\nkind: {kind}\nmetadata: {{name: x, namespace: tasks}}\n"
RULE = "spec: {rules: [{callers: [{appID: a}], activities: [{name: b}]}]}\n"


def body(kind, text):
    return HEAD.format(kind=kind) + text


WRONG = [
    ("Component", "spec: {version: v1, metadata: []}\n", "spec has no type"),
    ("Component", "spec: {type: state.redis, metadata: []}\n", "spec has no version"),
    (
        "Component",
        "spec: {type: state.redis, version: v1, metadata: {redisHost: x}}\n",
        "spec.metadata is not a list",
    ),
    (
        "Component",
        "spec: {type: state.redis, version: v1, metadata: []}\nscopes: orders\n",
        "scopes is not a list",
    ),
    (
        "Component",
        "spec: {type: state.redis, version: 1, metadata: []}\n",
        "spec.version is not a text",
    ),
    (
        "Component",
        "spec: {type: state.redis, version: v1, metadata: [{value: x}]}\n",
        "spec.metadata[0] has no name",
    ),
    ("Component", "spec: {type: store.redis, version: v1, metadata: []}\n", "store.redis"),
    (
        "Configuration",
        'spec: {workflow: {maxConcurrentActivityInvocations: "3"}}\n',
        "spec.workflow.maxConcurrentActivityInvocations is not a whole number",
    ),
    ("Resiliency", "spec: {policies: {}}\n", "spec has no targets"),
    (
        "Resiliency",
        "spec: {policies: {retries: {many: {maxRetries: many}}}, targets: {}}\n",
        "maxRetries is not a whole number",
    ),
    ("Subscription", "spec: {topic: a}\n", "spec has no pubsubname and no route"),
    ("WorkflowAccessPolicy", "spec: {rules: [{activities: [{name: a}]}]}\n", "has no callers"),
    (
        "WorkflowAccessPolicy",
        "spec: {rules: [{callers: [], activities: [{name: a}]}]}\n",
        "spec.rules[0].callers is empty",
    ),
    (
        "WorkflowAccessPolicy",
        "spec: {rules: [{callers: [{appID: a}]}]}\n",
        "spec.rules[0] has neither workflows nor activities",
    ),
    (
        "WorkflowAccessPolicy",
        "spec: {rules: [{callers: [{appID: a}], workflows: [{name: b, operations: [start]}]}]}\n",
        "operations[0] is 'start'",
    ),
]


@pytest.mark.parametrize(("kind", "text", "words"), WRONG)
def test_what_kubernetes_refuses_is_broken_with_its_line(tmp_path, kind, text, words):
    write(tmp_path, x=body(kind, text), a=app("one", extra="        dapr.io/config: x\n"))
    found = [f for f in about(inspect([tmp_path]), "schema") if f.state == "broken"]
    assert len(found) == 1
    assert words in found[0].why
    assert found[0].where.startswith(f"{tmp_path / 'x.yaml'}:")
    assert found[0].fix


@pytest.mark.parametrize(
    ("was", "is_now"),
    [
        ("apiVersion: dapr.io/v1alpha1\n", ""),
        ("dapr.io/v1alpha1", "dapr.io/v1"),
        ("name: statestore, ", ""),
        ("name: statestore", "name: State_Store"),
    ],
)
def test_a_component_without_its_head_does_not_count(tmp_path, was, is_now):
    write(tmp_path, a=app("one"), s=store().replace(was, is_now))
    found = inspect([tmp_path])
    assert [f.state for f in about(found, "schema")] == ["broken"]
    assert about(found, "state store")[0].state != "holds"


def test_what_only_a_cluster_refuses_cannot_be_known_without_one(tmp_path):
    """Such a file may be one that a sidecar is started with."""
    write(tmp_path, x=body("Configuration", "spec: {mtls: {enabled: false}}\n"))
    assert {f.state for f in about(inspect([tmp_path]), "schema")} == {"cannot be known"}
    write(tmp_path, x=body("Configuration", "spec: {mtls: {enabled: 3}}\n"))
    assert "broken" in {f.state for f in about(inspect([tmp_path]), "schema")}


def test_scopes_within_the_spec_are_noted_with_their_right_place(tmp_path):
    text = store().replace("  version: v1", "  version: v1\n  scopes: [one]")
    write(tmp_path, a=app("one"), s=text)
    (one,) = about(inspect([tmp_path]), "schema")
    assert (one.state, one.fix) == ("note", "write it at the top, beside spec")


def test_a_key_that_dapr_does_not_know_is_noted(tmp_path):
    write(tmp_path, a=app("one"), s=store(more="scope: [one]"))
    (one,) = about(inspect([tmp_path]), "schema")
    assert (one.state, line_of(one), one.fix) == ("note", "scope: [one]", "did you mean scopes?")


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: core.oam.dev/v1alpha2\nkind: Component\nspec: {workload: {}}\n",
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: []\n",
        "apiVersion: serving.knative.dev/v1\nkind: Configuration\nspec: {template: {}}\n",
        "apiVersion: messaging.knative.dev/v1\nkind: Subscription\nspec: {channel: {}}\n",
    ],
)
def test_kinds_of_the_same_name_of_other_projects_are_left_alone(tmp_path, text):
    write(tmp_path, x=text, a=app("one"))
    assert about(inspect([tmp_path]), "schema") == []


@pytest.mark.parametrize(
    "text",
    [
        store().replace("name: statestore", 'name: "${STORE}"'),
        store().replace("state.redis", '"${TYPE}"'),
        body("Configuration", 'spec: {workflow: {maxConcurrentActivityInvocations: "${N}"}}\n'),
    ],
)
def test_what_is_filled_in_later_is_not_broken(tmp_path, text):
    write(tmp_path, x=text, a=app("one", extra="        dapr.io/config: x\n"))
    assert "schema" not in broken(inspect([tmp_path]))


def test_a_null_counts_as_nothing(tmp_path):
    write(tmp_path, a=app("one"), s=store(more="scopes:"))
    assert about(inspect([tmp_path]), "schema") == []


def test_merged_maps_are_checked_too(tmp_path):
    text = body("Component", "spec:\n  <<: {type: state.redis, version: v1}\n  metadata: []\n")
    write(tmp_path, x=text)
    assert about(inspect([tmp_path]), "schema") == []


@pytest.mark.parametrize("last", ["spec: {metadata: *a9}", "spec: &a {policies: *a}"])
def test_what_has_no_end_is_not_checked(tmp_path, last):
    lines = ["a0: &a0 [x, y]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    write(tmp_path, x=body("Resiliency", "\n".join([*lines, last, ""])))
    assert [f.state for f in about(inspect([tmp_path]), "schema")] in (["cannot be known"], [])


# --- a sidecar of a run file is less strict -------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "is_broken"),
    [
        (body("Component", "spec: {type: state.redis, metadata: []}\n"), False),
        (body("Component", "spec: {type: state.redis, version: 1}\n"), False),
        (body("Component", "spec: {metadata: []}\n"), True),
        (body("Component", "spec: {type: state.redis, metadata: {a: b}}\n"), True),
        (body("Component", "spec: {type: store.redis, version: v1}\n"), True),
        (body("Component", "spec: {type: store.redis, ignoreErrors: true}\n"), False),
        (body("Resiliency", "spec: {policies: {}}\n"), False),
        (body("Resiliency", "spec: {policies: []}\n"), True),
        (body("WorkflowAccessPolicy", RULE.replace("a}]", "1}]")), False),
        (body("WorkflowAccessPolicy", "spec: {rules: [{activities: [{name: a}]}]}\n"), True),
        ("kind: Resiliency\nspec: {policies: {}, targets: {}}\n", False),
        ("kind: Component\nmetadata: {name: x}\nspec: {type: state.redis}\n", True),
    ],
)
def test_what_a_sidecar_of_a_run_file_takes_is_not_broken(tmp_path, text, is_broken):
    file = run_file(tmp_path, "one")
    write(tmp_path / "components", x=text)
    assert bool([f for f in broken(inspect([file])) if f == "schema"]) is is_broken


# --- Dapr's files ---------------------------------------------------------------------------------


def test_the_schemas_are_daprs_own_with_their_licence():
    digests = {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in schema.CRDS.iterdir()}
    assert set(digests) == {*(f"{n}.yaml" for n in schema.FILES.values()), "LICENSE", "README.md"}
    assert "Apache License" in (schema.CRDS / "LICENSE").read_text()
    assert {k: d[:12] for k, d in digests.items() if k.endswith(".yaml")} == DIGESTS


DIGESTS = {
    "components.yaml": "47acb92af4b4",
    "configuration.yaml": "3ae6beeeb07e",
    "resiliency.yaml": "62ca4e10fd61",
    "subscription.yaml": "1864c443890e",
    "workflowaccesspolicy.yaml": "32be560199be",
}
"""The beginnings of the SHA-256 of ``charts/dapr/crds`` in dapr/dapr v1.18.1."""


@pytest.mark.parametrize("is_local", [True, False])
@pytest.mark.parametrize("kind", schema.FILES)
def test_every_schema_is_understood(kind, is_local):
    for version in schema._versions(kind):
        validator = schema._validator(kind, version, is_local)
        validator.check_schema(validator.schema)


def test_our_own_components_fit():
    found = inspect([paths.repo() / "components"])
    assert [f for f in about(found, "schema") if f.state != "note"] == []


@pytest.mark.parametrize(("place", "state"), [("app", "broken"), ("other/app", "cannot be known")])
def test_what_only_a_cluster_refuses_is_broken_near_its_apps(tmp_path, place, state):
    """A repository of several projects: the components of one are no business of another."""
    without = body("Component", "spec: {type: pubsub.in-memory, metadata: []}\n")
    for folder in ("shop/components", f"shop/{place}" if place == "app" else place):
        (tmp_path / folder).mkdir(parents=True)
    write(tmp_path / "shop/components", pubsub=without)
    write(
        tmp_path / (f"shop/{place}" if place == "app" else place),
        all=app("orders") + "---\n" + store(),
    )
    assert [f.state for f in about(inspect([tmp_path]), "schema")] == [state]
