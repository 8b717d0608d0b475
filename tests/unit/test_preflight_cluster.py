"""Namespaces and stores: each namespace is a deployment of its own, and each is judged."""

from __future__ import annotations

import pytest

from labkit.preflight import inspect
from labkit.preflight.requirements import ONE_VERSION, SUITED, UNSUITED, VERSIONS
from tests.support.manifests import (
    SDK,
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


def source(folder, call="call_activity('charge', app_id='billing')"):
    file = folder / "orders.py"
    file.write_text(SDK + calling(call))
    return file


def space(folder, name, *apps):
    """One file with a store and apps in one namespace."""
    texts = [store().replace("tasks", name), *(app(one, name) for one in apps)]
    return write(folder, **{name: "---\n".join(texts)})


def opened(text):
    return text.replace("  namespace: tasks\n", "").replace(", namespace: tasks", "")


# --- namespaces -----------------------------------------------------------------------------------


def test_the_same_apps_in_two_namespaces_hold_twice(tmp_path):
    space(tmp_path, "dev", "orders", "billing")
    space(tmp_path, "prod", "orders", "billing", "audit")
    for given in ([], [source(tmp_path)]):
        found = inspect([tmp_path], given)
        assert states(found, "namespace") == ["holds", "holds"]
        assert broken(found) == []
    stores = [f.why for f in about(found, "state store")]
    assert stores[:2] == ["orders in dev sees statestore", "billing in dev sees statestore"]
    assert "is deployed in dev, prod" in about(found, "names")[0].why


def test_a_namespace_that_lacks_an_app_is_named(tmp_path):
    space(tmp_path, "dev", "orders", "billing")
    space(tmp_path, "prod", "orders")
    found = about(inspect([tmp_path], [source(tmp_path)]), "namespace")
    assert [f.state for f in found] == ["holds", "broken"]
    assert found[1].why.startswith("orders in prod calls billing, which is in dev only")
    assert found[1].fix == "deploy billing to prod, too"


def test_an_app_aside_in_another_namespace_is_not_taken_for_the_caller(tmp_path):
    space(tmp_path, "aside", "metrics-agent")
    space(tmp_path, "shop", "orders", "billing")
    found = inspect([tmp_path], [source(tmp_path)])
    assert broken(found) == []
    (one,) = about(found, "namespace")
    assert one.state == "cannot be known"
    assert "whether orders calls billing, or metrics-agent in aside" in one.why


def test_without_sources_apps_in_several_namespaces_cannot_be_known(tmp_path):
    space(tmp_path, "shop", "orders", "billing")
    space(tmp_path, "crew", "payroll", "people")
    (one,) = about(inspect([tmp_path]), "namespace")
    assert one.state == "cannot be known"
    assert "orders, billing in shop" in one.why
    assert "--source" in one.fix


def test_an_app_each_in_a_namespace_of_its_own_is_broken_without_sources_too(tmp_path):
    space(tmp_path, "shop", "orders")
    space(tmp_path, "crew", "billing")
    assert states(inspect([tmp_path]), "namespace") == ["broken"]


def test_what_names_no_namespace_may_be_applied_to_any(tmp_path):
    write(tmp_path, a=app("orders"), b=opened(app("billing")), s=store())
    found = inspect([tmp_path], [source(tmp_path)])
    assert states(found, "namespace") == ["cannot be known"]
    assert broken(found) == []
    write(tmp_path, a=opened(app("orders")), s=opened(store()))
    assert states(inspect([tmp_path], [source(tmp_path)]), "namespace") == ["holds"]


def test_a_call_to_an_app_in_another_namespace_is_broken_whoever_makes_it(tmp_path):
    space(tmp_path, "shop", "orders", "audit")
    space(tmp_path, "crew", "billing")
    (one,) = about(inspect([tmp_path], [source(tmp_path)]), "namespace")
    assert one.state == "broken"
    assert one.why.startswith("billing is in namespace crew, orders in shop")


def test_sources_with_no_app_at_all_say_nothing_of_names(tmp_path):
    write(tmp_path, s=store())
    assert states(inspect([tmp_path], [source(tmp_path)])) == ["cannot be known"]


# --- stores ---------------------------------------------------------------------------------------


def typed(kind, version=""):
    known, *_ = VERSIONS.get(kind.removeprefix("state."), ONE_VERSION)
    text = store().replace("state.redis", kind)
    return text.replace("version: v1", f"version: {version or known}")


@pytest.mark.parametrize("kind", sorted(UNSUITED))
def test_a_store_without_transactions_is_broken(tmp_path, kind):
    write(tmp_path, a=app("one"), s=typed(f"state.{kind}"))
    (one,) = about(inspect([tmp_path]), "state store")
    assert (one.state, line_of(one)) == ("broken", f"type: state.{kind}")
    assert about(inspect([tmp_path / "s.yaml"]), "state store")[0].state == "broken"


@pytest.mark.parametrize("kind", [*sorted(SUITED), "Redis"])
def test_a_store_with_transactions_holds(tmp_path, kind):
    write(tmp_path, a=app("one"), s=typed(f"state.{kind}"))
    assert states(inspect([tmp_path]), "state store") == ["holds"]


@pytest.mark.parametrize(
    ("kind", "version"),
    [("redis", "v2"), ("redis", "v9"), ("yugabytedb", "v1"), ("postgresql", "v0"), ("etcd", "v3")],
)
def test_a_store_of_a_version_that_dapr_has_not_is_broken(tmp_path, kind, version):
    write(tmp_path, a=app("one"), s=typed(f"state.{kind}", version))
    (one,) = about(inspect([tmp_path]), "state store")
    assert (one.state, line_of(one)) == ("broken", f"version: {version}")


@pytest.mark.parametrize(
    ("kind", "version"), [("redis", "V1"), ("redis", "v0"), ("postgresql", "v2"), ("etcd", "v1")]
)
def test_a_store_of_each_version_that_dapr_has_holds(tmp_path, kind, version):
    write(tmp_path, a=app("one"), s=typed(f"state.{kind}", version))
    assert states(inspect([tmp_path]), "state store") == ["holds"]


def test_of_a_store_that_is_not_daprs_own_it_cannot_be_known(tmp_path):
    write(tmp_path, a=app("one"), s=typed("state.pluggable"))
    assert states(inspect([tmp_path]), "state store") == ["cannot be known"]


@pytest.mark.parametrize("value", ['"true"', "true", '" True "', '"1"', "'on'"])
def test_what_dapr_takes_for_true_makes_an_actor_store(tmp_path, value):
    write(tmp_path, a=app("one"), s=store(value=value))
    assert states(inspect([tmp_path]), "state store") == ["holds"]


def test_a_flag_in_a_secret_cannot_be_known(tmp_path):
    secret = store().replace('value: "true"', "secretKeyRef: {name: a, key: b}")
    write(tmp_path, a=app("one"), s=secret)
    assert states(inspect([tmp_path]), "state store") == ["cannot be known"]


def test_two_actor_stores_of_one_folder_are_broken_and_one_each_of_several_cannot_be_known(
    tmp_path,
):
    texts = [store(), store("other")]
    for name, text in zip(("local", "azure"), texts, strict=True):
        (tmp_path / name).mkdir()
        write(tmp_path / name, store=text)
    write(tmp_path, orders=app("orders"))
    assert states(inspect([tmp_path]), "state store") == ["cannot be known"]
    write(tmp_path / "azure", more=store("third"))
    assert "broken" in states(inspect([tmp_path]), "state store")


def test_an_app_without_a_store_is_broken_only_where_none_has_one(tmp_path):
    write(tmp_path, a=app("one"), b=app("two"), s=store(more="scopes: [one]"))
    assert states(inspect([tmp_path]), "state store") == ["holds", "cannot be known"]
    write(tmp_path, s=store(more="scopes: [three]"))
    assert states(inspect([tmp_path]), "state store") == ["broken", "broken"]


def test_the_only_app_that_may_call_needs_a_store(tmp_path):
    write(tmp_path, a=app("orders"), b=app("billing"), s=store(more="scopes: [billing]"))
    assert states(inspect([tmp_path]), "state store") == ["cannot be known", "holds"]
    found = inspect([tmp_path], [source(tmp_path)])
    assert states(found, "state store") == ["broken", "holds"]


def test_a_sidecar_without_namespace_takes_a_component_of_any(tmp_path):
    file = run_file(tmp_path, "one", "two: env: {NAMESPACE: pay}")
    write(tmp_path / "components", store=store())
    assert states(inspect([file]), "state store") == ["holds", "broken"]


@pytest.mark.parametrize("denied", ["state.redis", "state.redis/v1"])
def test_a_store_whose_type_is_denied_is_not_seen(tmp_path, denied):
    head = "apiVersion: dapr.io/v1alpha1\nkind: Configuration\n"
    strict = f"{head}metadata: {{name: strict}}\nspec: {{components: {{deny: [{denied}]}}}}\n"
    one = app("one", extra="        dapr.io/config: strict\n")
    write(tmp_path, a=one, c=strict, s=store())
    (found,) = about(inspect([tmp_path]), "state store")
    assert (found.state, line_of(found)) == ("broken", "dapr.io/config: strict")
    write(tmp_path, c=strict.replace(denied, "state.mysql"))
    assert states(inspect([tmp_path]), "state store") == ["holds"]


def test_a_long_document_among_resources_ends_the_sidecar(tmp_path):
    """Measured on 1.18.1: out of memory within a minute."""
    file = run_file(tmp_path, "one")
    text = store(name="other", value='"false"') + "---\nkind: ConfigMap\ndata: {a: "
    write(tmp_path / "components", zz=text + "x" * 70_000 + "}\n")
    for named in (file, tmp_path):
        (found,) = about(inspect([named]), "file")
        assert (found.state, found.where) == ("broken", f"{tmp_path / 'components/zz.yaml'}:10")
    assert about(inspect([tmp_path / "components"]), "file") == []  # a cluster takes it


# --- what stands twice ----------------------------------------------------------------------------


def test_two_components_of_one_name_end_the_sidecar_of_a_run_file(tmp_path):
    file = run_file(tmp_path, "one", "two: resourcesPath: ../other")
    local_store(tmp_path / "other")
    pubsub = store(value='"false"').replace("state.redis", "pubsub.redis")
    write(tmp_path / "components", zz=pubsub)
    (one,) = about(inspect([file]), "component")
    assert one.state == "broken"
    assert one.why.startswith("one: a Component named statestore is in ")
    assert one.where.endswith("zz.yaml:1")


@pytest.mark.parametrize(
    "twice",
    [
        "resourcesPaths: [../components, ../components]",
        "resourcesPaths: [.././components]; resourcesPath: ../components",
    ],
)
def test_a_folder_that_is_named_twice_ends_the_sidecar(tmp_path, twice):
    (one,) = about(inspect([run_file(tmp_path, f"one: {twice}")]), "component")
    assert one.state == "broken"
    assert "named twice" in one.why
    assert about(inspect([run_file(tmp_path, "one: resourcesPaths: [.]")]), "component") == []


@pytest.mark.parametrize(("scope", "count"), [("one", 1), ("another", 0)])
def test_a_component_out_of_sight_clashes_only_with_one_before_it(tmp_path, scope, count):
    file = run_file(tmp_path, "one")
    write(tmp_path / "components", a_first=store(more=f"scopes: [{scope}]"))
    assert len(about(inspect([file]), "component")) == count


def test_in_a_cluster_the_second_component_replaces_the_first(tmp_path):
    write(tmp_path, a=app("one"), s=store(value='"false"'), t=store())
    found = inspect([tmp_path])
    (one,) = about(found, "component")
    assert (one.state, one.where) == ("note", f"{tmp_path / 't.yaml'}:1")
    assert states(found, "state store") == ["holds"]


# --- limits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "limit",
    [
        "maxConcurrentWorkflowInvocations: 2",
        "maxConcurrentActivityInvocations: 2",
        "globalMaxConcurrentWorkflowInvocations: 2",
        "globalMaxConcurrentActivityInvocations: 2",
        "workflowConcurrencyLimits: [{name: charge, maxConcurrent: 2}]",
        "activityConcurrencyLimits: [{name: charge, maxConcurrent: 2}]",
    ],
)
def test_each_limit_of_the_caller_is_noted(tmp_path, limit):
    file = run_file(tmp_path, "orders: configFilePath: ../limits.yaml", "billing")
    worker(tmp_path / "orders", calling("call_activity('charge', app_id='billing')"))
    worker(tmp_path / "billing", "@wfr.activity\ndef charge(ctx): ...\n")
    head = "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {name: limits}\n"
    write(tmp_path, limits=f"{head}spec:\n  workflow:\n    {limit}\n")
    found = inspect([file])
    assert [line_of(f) for f in about(found, "configuration")] == [limit]
    assert broken(found) == []
