"""Two replicas of one app run different code: who does a call, and what becomes of it."""

from __future__ import annotations

from collections import Counter

import pytest

from labkit.flight import approve, place, tally
from labkit.labs.lab import Lab
from labkit.waiting import patience
from tests.support.change import (
    ASKS,
    AT_ONCE,
    BEFORE,
    HALF,
    RECEIPT,
    release,
    write_apps,
)

ORDERS = 24
COUNTS = "dapr_runtime_workflow_activity_execution_count"


@pytest.fixture(scope="module")
def lab(tmp_path_factory, state_folder):
    folder = tmp_path_factory.mktemp("releases") / "in-flight"
    with Lab(write_apps(folder), replicas={"orders": 2, "payments": 2}) as lab:
        lab.up(announce=False)
        yield lab


def mixed(lab, app, old, new):
    """Let the first replica of an app run older code than the second."""
    release(lab, f"{app}#1", *old)
    release(lab, f"{app}#2", *new)


def ordered(lab, prefix):
    """Place orders that wait for nobody; return them when all have ended, with their statuses."""
    names = [f"{prefix}-{number}" for number in range(ORDERS)]
    for name in names:
        lab.client("orders").schedule_new_workflow("order", input=name, instance_id=name)
    return names, tally(lab, names).statuses


def done(app, activity):
    """Return how often a sidecar has counted this activity, by status."""
    lines = [x for x in app.metrics().splitlines() if x.startswith(COUNTS)]
    own = [x for x in lines if f'activity_name="{activity}"' in x]
    return Counter(
        {x.partition('status="')[2].partition('"')[0]: int(float(x.split()[-1])) for x in own}
    )


def test_a_call_fails_at_the_replica_that_lacks_its_activity_and_goes_to_no_other(lab):
    mixed(lab, "payments", [], [RECEIPT])
    mixed(lab, "orders", [AT_ONCE, ASKS], [AT_ONCE, ASKS])
    names, statuses = ordered(lab, "lacks")
    assert set(statuses) == {"COMPLETED", "FAILED"}
    old, new = (done(app, "receipt") for app in lab.replicas("payments"))
    assert (old, new) == ({"failed": statuses["FAILED"]}, {"success": statuses["COMPLETED"]})
    for name in names:
        calls = [s for s in lab.run(name).history.own_steps() if s.name == "receipt"]
        assert [s.attempt for s in calls] == [1]
        if failure := lab.run(name).failure:
            assert "Activity function named 'receipt' was not registered" in failure.message


def test_an_order_gets_the_result_of_the_replica_that_did_its_call(lab):
    before = [done(app, "charge")["success"] for app in lab.replicas("payments")]
    mixed(lab, "payments", [], [HALF])
    mixed(lab, "orders", [AT_ONCE], [AT_ONCE])
    names, statuses = ordered(lab, "result")
    assert set(statuses) == {"COMPLETED"}
    results = Counter(lab.run(name).output for name in names)
    after = [done(app, "charge")["success"] for app in lab.replicas("payments")]
    calls = [now - then for now, then in zip(after, before, strict=True)]
    assert [results[10], results[5]] == calls
    assert all(calls)


def test_a_workflow_that_moves_to_the_other_replica_is_replayed_by_its_code(lab):
    mixed(lab, "payments", [], [])
    mixed(lab, "orders", [], [BEFORE])
    names = [f"moves-{number}" for number in range(ORDERS)]
    place(lab, names)
    steps = {n: [s.name for s in lab.run(n).history.own_steps()] for n in names}
    older = {name for name, own in steps.items() if "score" not in own}
    assert 0 < len(older) < ORDERS, "each order has the path of the replica that has it"
    lab.kill("orders#1", announce=False)
    approve(lab, names)
    tally(lab, names)
    assert {name for name in names if lab.run(name).status == "FAILED"} == older
    failures = {lab.run(name).failure.error_type for name in older}
    assert failures == {"NonDeterminismError"}
    lab.up("orders", announce=False, within=30 * patience())
