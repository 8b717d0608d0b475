"""WorkflowAccessPolicy: what a policy lets through, as the sidecar judges it."""

from __future__ import annotations

import pytest

from labkit.preflight import inspect
from labkit.preflight.access import matches
from tests.support.manifests import (
    SDK,
    about,
    app,
    broken,
    calling,
    line_of,
    run_file,
    states,
    store,
    worker,
    write,
)

ACTIVITY = "call_activity('charge', app_id='billing')"
CHILD = "call_child_workflow('refund', app_id='billing')"
ALLOWS = "- {callers: [{appID: orders}], activities: [{name: charge}]}"
SCHEDULES = (
    "- {callers: [{appID: orders}], workflows: [{name: refund, operations: [schedule, get]}]}"
)


def policy(*rules, scopes="[billing]", name="gate"):
    lines = "\n".join(f"  {rule}" for rule in rules) if rules else "  []"
    return (
        f"apiVersion: dapr.io/v1alpha1\nkind: WorkflowAccessPolicy\n"
        f"metadata: {{name: {name}, namespace: tasks}}\nscopes: {scopes}\n"
        f"spec:\n rules:\n{lines}\n"
    )


def cluster(folder, *texts, call=ACTIVITY, **more):
    """Two apps, a store and policies in one namespace, and the source of the caller."""
    apps = {"a": app("orders"), "b": app("billing"), "s": store()}
    write(folder, **apps, **{f"p{n}": text for n, text in enumerate(texts)}, **more)
    file = folder / "orders.py"
    file.write_text(SDK + calling(call))
    return inspect([folder], [file])


@pytest.mark.parametrize(
    ("call", "rules", "state"),
    [
        (ACTIVITY, [ALLOWS], "holds"),
        (ACTIVITY, [ALLOWS.replace("charge", "ch*")], "holds"),
        (ACTIVITY, [SCHEDULES, ALLOWS], "holds"),
        (CHILD, [SCHEDULES], "holds"),
        (ACTIVITY, [], "broken"),
        (ACTIVITY, [SCHEDULES], "broken"),
        (ACTIVITY, [ALLOWS.replace("orders", "front-desk")], "broken"),
        (ACTIVITY, [ALLOWS.replace("orders", "Orders")], "broken"),
        (ACTIVITY, [ALLOWS.replace("charge", "Charge")], "broken"),
        (CHILD, [ALLOWS], "broken"),
        (CHILD, [SCHEDULES.replace("schedule, get", "get")], "broken"),
        (CHILD, [SCHEDULES.replace("refund", "other")], "broken"),
        ("call_activity(x, app_id='billing')", [ALLOWS], "cannot be known"),
        ("call_activity(x, app_id='billing')", [SCHEDULES], "broken"),
    ],
)
def test_what_no_rule_allows_is_refused(tmp_path, call, rules, state):
    found = about(cluster(tmp_path, policy(*rules), call=call), "access policy")
    assert [f.state for f in found] == [state]
    if state == "broken":
        assert line_of(found[0]) == "rules:"
        assert "orders" in found[0].fix


def test_rules_of_all_policies_in_sight_count(tmp_path):
    both = [policy(name="one"), policy(ALLOWS, name="two")]
    assert states(cluster(tmp_path, *both), "access policy") == ["holds"]


@pytest.mark.parametrize(
    "text",
    [
        policy(scopes="[orders]"),
        policy(scopes="[audit]"),
        policy().replace("namespace: tasks", "namespace: other"),
        policy().replace("dapr.io/v1alpha1", "example.com/v1"),
    ],
)
def test_a_policy_that_the_target_does_not_see_refuses_nothing(tmp_path, text):
    assert broken(cluster(tmp_path, text)) == []


def test_who_may_be_the_caller_is_not_known_of_several(tmp_path):
    write(tmp_path, c=app("audit"))
    found = about(cluster(tmp_path, policy(ALLOWS)), "access policy")
    assert [f.state for f in found] == ["cannot be known"]
    assert "only orders is allowed" in found[0].why


def test_a_called_app_may_be_the_caller_of_another(tmp_path):
    source = SDK + calling(ACTIVITY) + calling("call_activity('log', app_id='audit')")
    rule = "- {callers: [{appID: billing}], activities: [{name: log}]}"
    write(tmp_path, a=app("orders"), b=app("billing"), c=app("audit"), s=store())
    write(tmp_path, p=policy(rule, scopes="[audit]"))
    (tmp_path / "all.py").write_text(source)
    found = inspect([tmp_path], [tmp_path / "all.py"])
    assert states(found, "access policy") == ["cannot be known"]


def test_a_policy_in_sight_of_the_parent_refuses_what_a_child_returns(tmp_path):
    """Measured on 1.18.1: the parent stays RUNNING; an activity gets through by a reminder."""
    gate = policy(SCHEDULES, ALLOWS, scopes="[]")
    found = about(cluster(tmp_path, gate, call=CHILD), "access policy")
    assert [f.state for f in found] == ["holds", "broken", "cannot be known"]
    assert "its parent would stay RUNNING" in found[1].why
    assert line_of(found[1]) == "scopes: []"
    assert broken(cluster(tmp_path, gate)) == []


def test_a_cluster_without_mtls_refuses_every_call(tmp_path):
    head = "apiVersion: dapr.io/v1alpha1\nkind: Configuration\n"
    off = f"{head}metadata: {{name: daprsystem, namespace: dapr-system}}\n"
    off += "spec: {mtls: {enabled: false}}\n"
    found = about(cluster(tmp_path, policy(ALLOWS), c=off), "access policy")
    assert [f.state for f in found] == ["broken"]


def test_in_a_run_file_any_policy_refuses_every_call_from_outside(tmp_path):
    file = run_file(tmp_path, "orders", "billing: resourcesPaths: [../components, ../gate]")
    worker(tmp_path / "orders", calling(ACTIVITY))
    worker(tmp_path / "billing", "@wfr.activity\ndef charge(ctx): ...\n")
    (tmp_path / "gate").mkdir()
    write(tmp_path / "gate", p=policy(ALLOWS))
    (one,) = about(inspect([file]), "access policy")
    assert one.state == "broken"
    assert "without mTLS" in one.why
    worker(tmp_path / "orders", calling("call_activity('charge')"))
    assert states(inspect([file]), "access policy") == ["cannot be known"]


@pytest.mark.parametrize(("said", "state"), [("true", "holds"), ("false", "broken")])
def test_in_a_run_file_a_configuration_with_mtls_lets_rules_count(tmp_path, said, state):
    apps = "billing: resourcesPaths: [../components, ../gate]; configFilePath: ../mtls.yaml"
    file = run_file(tmp_path, "orders", apps)
    worker(tmp_path / "orders", calling(ACTIVITY))
    worker(tmp_path / "billing", "@wfr.activity\ndef charge(ctx): ...\n")
    (tmp_path / "gate").mkdir()
    write(tmp_path / "gate", p=policy(ALLOWS))
    head = "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {name: c}\n"
    (tmp_path / "mtls.yaml").write_text(f"{head}spec: {{mtls: {{enabled: {said}}}}}\n")
    assert states(inspect([file]), "access policy") == [state]


def test_an_app_may_always_call_itself(tmp_path):
    file = run_file(tmp_path, "billing: resourcesPaths: [../components, ../gate]")
    worker(tmp_path / "billing", calling(ACTIVITY) + "@wfr.activity\ndef charge(ctx): ...\n")
    (tmp_path / "gate").mkdir()
    write(tmp_path / "gate", p=policy())
    assert broken(inspect([file])) == []


@pytest.mark.parametrize(
    ("pattern", "name", "is_match"),
    [
        ("charge", "charge", True),
        ("*", "charge", True),
        ("*", "a/b", False),
        ("ch?rge", "charge", True),
        ("[a-d]harge", "charge", True),
        ("[^c]harge", "charge", False),
        ("[!c]harge", "!harge", True),
        ("ch\\*", "ch*", True),
        ("ch.rge", "charge", False),
        ("[charge", "charge", False),
        ("charge\\", "charge", False),
        ("[z-a]", "b", False),
        ("", "charge", False),
        ("**", "charge", True),
    ],
)
def test_patterns_are_those_of_go(pattern, name, is_match):
    """Go's ``path.Match``: no other globs, and a wrong pattern matches nothing."""
    assert matches(pattern, name) is is_match
