"""A workflow that crosses apps, and how its history is read from both."""

from __future__ import annotations

import pytest

from labkit.history import UnknownInstance
from labkit.labs.workflowrun import InstanceUnknown, NotFinished


def test_an_activity_of_another_app_is_called_and_the_history_says_where(make_lab, small):
    lab = make_lab(small)
    lab.up(announce=False)
    lab.client("caller").schedule_new_workflow("call", input={"a": 1}, instance_id="one")
    run = lab.run("one").wait()
    assert (run.status, run.output["given"], run.app_id) == ("COMPLETED", {"a": 1}, "caller")
    (step,) = run.history.steps()
    assert (step.name, step.app_id, step.caller, step.is_remote) == (
        *("work", "target", "caller"),
        True,
    )
    assert run.output["pid"] == lab.app("target").process("worker").pid


def test_the_steps_of_a_child_are_read_from_the_app_that_ran_it(make_lab, small):
    lab = make_lab(small)
    lab.up(announce=False)
    lab.client("caller").schedule_new_workflow("call_child", input={}, instance_id="parent")
    history = lab.run("parent").wait().history
    (child,) = history.children
    assert (child.app_id, [s.name for s in child.own_steps()]) == ("target", ["work"])
    assert [s.name for s in history.own_steps()] == ["child"]
    assert lab.run(child.instance_id).app_id == "target"


def test_what_does_not_exist_is_said_to_be_unknown(make_lab, small):
    lab = make_lab(small)
    lab.up(announce=False)
    with pytest.raises(InstanceUnknown) as caught:
        lab.run("nobody")
    assert "caller, target" in caught.value.asked
    with pytest.raises(UnknownInstance):
        lab.run(_done(lab))._fetch("target", "nobody")


def test_a_workflow_that_is_not_finished_names_what_is_down(make_lab, small, tmp_path):
    lab = make_lab(small)
    lab.up(announce=False)
    gate = tmp_path / "gate"
    lab.client("caller").schedule_new_workflow("call", input={"gate": str(gate)}, instance_id="w")
    lab.kill("target", "worker")
    with pytest.raises(NotFinished) as caught:
        lab.run("w").wait(0.5)
    assert "target worker ended with signal SIGKILL" in caught.value.found
    assert "lab.up('target')" in caught.value.fix


def test_it_settles_when_it_stands_still_and_not_while_it_goes_on(make_lab, small, tmp_path):
    lab = make_lab(small)
    lab.up(announce=False)
    client = lab.client("caller")
    client.schedule_new_workflow("paced", instance_id="goes-on")
    assert lab.run("goes-on").settle(2.5) == "COMPLETED"  # after 4 s, with an event each second
    given = {"gate": str(tmp_path / "gate")}
    client.schedule_new_workflow("call", input=given, instance_id="stands")
    assert lab.run("stands").settle(1) == "RUNNING"
    (tmp_path / "gate").touch()
    assert lab.run("stands").settle(5) == "COMPLETED"


def _done(lab) -> str:
    lab.client("caller").schedule_new_workflow("call", input={}, instance_id="done")
    lab.run("done").wait()
    return "done"
