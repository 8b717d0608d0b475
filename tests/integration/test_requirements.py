"""What happens on the pinned version when a deployment requirement is not met."""

from __future__ import annotations

from labkit.runfile import load
from tests.support.deployments import STORE


def two_folders(small, target_store: str | None) -> None:
    """Give ``target`` its own resources: another store, or none."""
    own = small.parent / "target-components"
    own.mkdir()
    if target_store is not None:
        (own / "statestore.yaml").write_text(target_store)
    text = small.read_text().replace(
        "- appID: target\n", "- appID: target\n  resourcesPath: ../target-components\n"
    )
    small.write_text(text)
    assert load(small).apps[1].resources == (own,)


def test_apps_with_different_stores_work_together(make_lab, small):
    two_folders(small, STORE.replace("statestore.sqlite", "another.sqlite"))
    lab = make_lab(small)
    lab.up(announce=False)
    client = lab.client("caller")
    for name in ("call", "call_child"):
        client.schedule_new_workflow(name, input={}, instance_id=name)
        assert lab.run(name).wait().status == "COMPLETED"
    assert (lab.folder / "another.sqlite").stat().st_size > 0


def test_an_app_with_activities_only_needs_no_store(make_lab, small):
    two_folders(small, None)
    lab = make_lab(small)
    lab.up(announce=False)
    client = lab.client("caller")
    client.schedule_new_workflow("call", input={}, instance_id="activity")
    assert lab.run("activity").wait().status == "COMPLETED"
    client.schedule_new_workflow("call_child", input={}, instance_id="child")
    assert lab.run("child").settle(4) == "RUNNING"
    said = lab.app("caller").logs("sidecar")
    assert "the state store is not configured to use the actor runtime" in said


def test_the_metadata_does_not_tell_which_database_is_used(make_lab, small):
    two_folders(small, STORE.replace("statestore.sqlite", "another.sqlite"))
    lab = make_lab(small)
    lab.up(announce=False)
    told = [lab.app(a).metadata()["components"] for a in ("caller", "target")]
    assert told[0] == told[1]
    assert "sqlite" not in str([c["name"] for c in told[0]])


def test_to_ask_a_sidecar_without_actor_store_for_a_workflow_does_not_end_it(make_lab, small):
    two_folders(small, None)
    lab = make_lab(small)
    lab.up(announce=False)
    assert lab.app("target").lacks_actor_store()
    assert not lab.app("caller").lacks_actor_store()
    lab.client("caller").schedule_new_workflow("call", input={}, instance_id="x")
    assert lab.run("x").wait().app_id == "caller"
    assert lab.app("target").process("sidecar").is_alive
