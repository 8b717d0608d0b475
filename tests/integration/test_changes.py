"""Changes while orders are in flight over three apps: what is lost, held, and what goes on."""

from __future__ import annotations

import grpc
import pytest

from labkit.apps.client import CallFailed
from labkit.flight import approve, flying, place, tally
from labkit.history import instance_ids_of
from labkit.labs.lab import Lab
from labkit.waiting import wait_until
from tests.support.change import (
    APPS,
    BETWEEN,
    BOTH,
    NEEDS,
    ONE,
    PATCHED,
    READS,
    RENAMES,
    SENDS,
    TAKES,
    TWO,
    outcome,
    play,
    release,
    source,
    write_apps,
)

RETENTION = """\
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata:
  name: retention
spec:
  workflow:
    stateRetentionPolicy:
      completed: 1s
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory, state_folder):
    folder = tmp_path_factory.mktemp("changes") / "in-flight"
    with Lab(write_apps(folder, RETENTION.partition("spec:")[0])) as lab:
        lab.up(announce=False)
        yield lab


@pytest.fixture(autouse=True)
def as_before(lab):
    yield
    for app in APPS:
        if (lab.app(app).spec.folder / "main.py").read_text("utf-8") != source(app):
            release(lab, app)


def counts(tally):
    return tally.statuses, tally.lost, tally.doubled


def known(lab, app):
    return instance_ids_of(lab.app(app).grpc_address, lab.app(app).shared.token)


def test_each_app_is_replaced_in_turn_and_nothing_is_lost(lab):
    def all_of_them(lab):
        for app in APPS:
            release(lab, app, kill=True)

    seen = play(lab, "turn", 6, all_of_them)
    for group in (seen.approving, seen.charging, seen.later):
        assert (set(group.statuses), group.lost, group.doubled) == ({"COMPLETED"}, 0, 0)


def test_a_new_step_fails_those_orders_only_that_have_passed_its_place(lab):
    seen = play(lab, "passed", 4, lambda lab: release(lab, "orders", BETWEEN))
    assert counts(seen.approving) == ({"COMPLETED": 2}, 0, 0)
    assert counts(seen.charging) == ({"FAILED": 2}, 2, 0)
    assert seen.why.startswith("NonDeterminismError")
    assert seen.steps == ("check", "approval", "score", "charge")


def test_a_patch_that_is_rolled_back_stalls_the_orders_that_took_it_until_it_is_back(lab):
    release(lab, "orders", PATCHED)
    place(lab, ["rolled-back-0"])
    release(lab, "orders")
    approve(lab, ["rolled-back-0"])
    seen = outcome(lab, [], ["rolled-back-0"])
    assert seen.later.statuses == {"STALLED": 1}
    assert seen.why.startswith("PATCH_MISMATCH")
    for refused in (lab.client("orders").terminate_workflow, lab.client("orders").purge_workflow):
        with pytest.raises((CallFailed, grpc.RpcError), match=r"stalled|not yet completed"):
            refused("rolled-back-0")
    release(lab, "orders", PATCHED)
    assert counts(tally(lab, ["rolled-back-0"], held=())) == ({"COMPLETED": 1}, 0, 0)


def test_an_order_that_began_without_a_version_gets_the_latest_one(lab):
    with flying(lab, "unnamed", 2) as names:
        release(lab, "orders", ONE)
        release(lab, "orders", TWO)
    assert counts(tally(lab, names)) == ({"FAILED": 2}, 2, 0)


def test_an_order_keeps_the_version_under_which_it_began(lab):
    release(lab, "orders", ONE)
    seen = play(lab, "kept", 2, lambda lab: release(lab, "orders", TWO), later=1)
    assert (seen.approving.lost, seen.charging.lost, seen.later.lost) == (0, 0, 0)
    assert seen.steps == ("check", "score", "approval", "charge")


def test_a_field_that_the_target_requires_is_missing_in_calls_that_are_under_way(lab):
    seen = play(
        lab,
        "required",
        4,
        lambda lab: release(lab, "orders", SENDS),
        lambda lab: release(lab, "payments", NEEDS),
    )
    assert (seen.approving.lost, seen.charging.lost, seen.later.lost) == (0, 2, 0)
    assert "currency" in seen.why


def test_a_target_that_takes_both_shapes_before_the_caller_changes_loses_nothing(lab):
    seen = play(
        lab,
        "taken",
        4,
        lambda lab: release(lab, "payments", TAKES),
        lambda lab: release(lab, "orders", SENDS),
    )
    assert (seen.approving.lost, seen.charging.lost, seen.later.lost) == (0, 0, 0)


def test_an_answer_whose_field_was_renamed_fails_orders_that_are_charged_all_the_same(lab):
    seen = play(lab, "renamed", 4, lambda lab: release(lab, "payments", RENAMES))
    assert seen.charging.statuses == {"FAILED": 2}
    assert seen.why == "KeyError: 'charged'"
    rows = {row["order_id"] for row in lab.ledger("payments", "charges")}
    assert {"renamed-0", "renamed-2"} <= rows


def test_an_answer_with_both_fields_loses_nothing(lab):
    seen = play(
        lab,
        "both",
        4,
        lambda lab: release(lab, "payments", BOTH),
        lambda lab: release(lab, "orders", READS),
    )
    assert (seen.approving.lost, seen.charging.lost, seen.later.lost) == (0, 0, 0)


def test_a_purge_takes_the_children_along_unless_it_is_told_not_to(lab):
    with (
        flying(lab, "purged", 2) as names,
        pytest.raises(CallFailed, match="not yet completed"),
    ):
        lab.client("orders").purge_workflow(names[0])
    assert tally(lab, names).lost == 0
    lab.client("orders").purge_workflow(names[0])
    lab.client("orders").purge_workflow(names[1], recursive=False)
    assert not {"purged-0", "purged-1"} & set(known(lab, "orders"))
    assert "approval-purged-0" not in known(lab, "approvals")
    assert "approval-purged-1" in known(lab, "approvals")


def test_a_retention_policy_leaves_children_in_other_apps_and_what_ended_before_it(lab):
    with flying(lab, "before", 2) as names:
        pass
    tally(lab, names)
    lab.run_file.path.with_name("config.yaml").write_text(RETENTION, "utf-8")
    lab.restart("orders", announce=False)
    with flying(lab, "after", 2) as names:
        assert set(names) <= set(known(lab, "orders"))
    wait_until(lambda: not set(names) & set(known(lab, "orders")), usual=60)
    assert {"approval-after-0", "approval-after-1"} <= set(known(lab, "approvals"))
    assert {"before-0", "before-1"} <= set(known(lab, "orders"))
