"""Who may do what to another app: every row of docs/facts-access.md, on the real runtime."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import count, groupby

import pytest

from labkit import paths
from labkit.apps.client import CallFailed
from labkit.waiting import wait_until
from tests.support.access import APPS, Attack, Outcome, put, waiting_at_target, write_apps

RULES = {
    "all": None,
    "nothing": "[]",
    "caller: activity charge": "[{callers: [{appID: caller}], activities: [{name: charge}]}]",
    "caller: activity ch*": "[{callers: [{appID: caller}], activities: [{name: 'ch*'}]}]",
    "caller: schedule settle": (
        "[{callers: [{appID: caller}], workflows: [{name: settle, operations: [schedule]}]}]"
    ),
    "caller: terminate, raise, purge *": (
        "[{callers: [{appID: caller}],"
        " workflows: [{name: '*', operations: [terminate, raise, purge]}]}]"
    ),
    "target: everything": (
        "[{callers: [{appID: target}], activities: [{name: '*'}], workflows: [{name: '*',"
        " operations: [schedule, terminate, raise, pause, resume, purge, get, rerun]}]}]"
    ),
}
ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| (\w+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.M)
_numbers = count(1)


def rows() -> list[tuple[str, ...]]:
    """The rows of the matrix: in sight of, allows, who, does, with mTLS, without."""
    page = (paths.repo() / "docs" / "facts-access.md").read_text("utf-8")
    found = [tuple(cell.strip() for cell in row) for row in ROW.findall(page)]
    return [row for row in found if row[2] in APPS]


def done(attack: Attack, what: str) -> Outcome:
    """Do what a row says; an instance that is acted upon is a new one."""
    verb, _, rest = what.partition(" ")
    if not rest.startswith("an "):
        return getattr(attack, verb)(rest)
    instance = f"held-{next(_numbers)}"
    waiting_at_target(attack.lab, instance)
    if verb == "purge":
        attack.lab.client("target").terminate_workflow(instance)
        wait_until(
            lambda: attack.lab.run(instance).status == "TERMINATED", what="it has ended", usual=20
        )
    act: Callable[[str], Outcome] = getattr(attack, {"raise": "raise_event"}.get(verb, verb))
    return act(instance)


def test_the_matrix_has_enough_cells():
    assert len(rows()) > 30
    assert {row[1] for row in rows()} == set(RULES)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("mtls", [True, False], ids=["with mTLS", "without mTLS"])
def test_every_row_of_the_matrix_is_as_it_was_measured(make_lab, tmp_path, mtls):
    lab = make_lab(write_apps(tmp_path / "apps", mtls=mtls))
    lab.up(announce=False)
    attacks = {app_id: Attack(lab, app_id) for app_id in APPS}
    found = []
    for (sight, allows), group in groupby(rows(), key=lambda row: row[:2]):
        scopes = () if sight == "nobody" else tuple(sight.split(", "))
        put(lab, RULES[allows], scopes)
        for row in group:
            expected = row[4 if mtls else 5]
            found.append((*row[:4], expected, done(attacks[row[2]], row[3])))
    assert [row for row in found if row[4] != row[5]] == []


def test_a_parent_can_be_terminated_and_not_purged_where_a_policy_allows_both(make_lab, tmp_path):
    lab = make_lab(write_apps(tmp_path / "apps", mtls=True))
    lab.up(announce=False)
    put(
        lab,
        "[{callers: [{appID: caller}],"
        " workflows: [{name: '*', operations: [schedule, terminate, purge]}]}]",
    )
    client = lab.client("caller")
    client.schedule_new_workflow("hold_child", input="child", instance_id="parent")
    wait_until(lambda: held(lab), what="the child waits", usual=30)
    client.terminate_workflow("parent")
    wait_until(
        lambda: lab.run("parent").status == "TERMINATED", what="the parent has ended", usual=30
    )
    wait_until(
        lambda: lab.run("child").status == "TERMINATED", what="the child has ended", usual=30
    )
    with pytest.raises(CallFailed, match="cannot invoke method"):
        client.purge_workflow("parent")


def test_a_policy_in_sight_of_the_caller_holds_up_both_and_loses_nothing(make_lab, tmp_path):
    lab = make_lab(write_apps(tmp_path / "apps", mtls=True))
    lab.up(announce=False)
    put(lab, "[]", ("caller",))
    assert Attack(lab, "caller").child("settle") == "stays RUNNING"
    parent = "caller-1"
    child = lab.run(parent).history.steps()[0].child_instance_id
    assert [lab.run(i).status for i in (parent, child)] == ["RUNNING", "RUNNING"]
    put(lab, None)
    assert lab.run(parent).wait(usual=60).output == "charged"
    assert lab.run(child).status == "COMPLETED"


def held(lab) -> bool:
    state = lab.client("target").get_workflow_state("child")
    return state is not None and state.runtime_status.name == "RUNNING"
