"""Any process of a running lab is killed; the workflow ends well when it is back."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from labkit.apps.client import WaitedTooLong
from labkit.apps.routing import Route, closed
from labkit.history import instance_ids_of
from labkit.labs.attached import Attached
from labkit.labs.runs import all_runs
from labkit.waiting import NotInTime, poll, wait_until


def _begun(lab, gate: Path) -> Path:
    """Schedule a workflow whose remote activity waits for the gate; return when it runs there."""
    lab.up(announce=False)
    lab.client("caller").schedule_new_workflow("call", input={"gate": str(gate)}, instance_id="w")
    notes = lab.folder / "ledgers" / "target.txt"
    wait_until(lambda: notes.exists() and "start" in notes.read_text(), usual=10)
    return notes


@pytest.mark.parametrize(
    ("name", "part", "starts"),
    [
        ("target", "worker", 2),
        ("target", "sidecar", 2),
        ("target", None, 2),
        ("caller", "worker", 1),
        ("caller", "sidecar", 1),
        ("caller", None, 1),
    ],
)
def test_an_app_is_killed_while_a_remote_activity_runs(
    make_lab, small, tmp_path, name, part, starts
):
    lab, gate = make_lab(small), tmp_path / "gate"
    notes = _begun(lab, gate)
    lab.kill(name, part)
    lab.up(announce=False)
    gate.touch()
    assert lab.run("w").wait(usual=60).status == "COMPLETED"
    assert notes.read_text().count("start") == starts


@pytest.mark.parametrize("name", ["placement", "scheduler"])
def test_a_part_of_the_control_plane_is_killed(make_lab, small, tmp_path, name):
    lab, gate = make_lab(small), tmp_path / "gate"
    _begun(lab, gate)
    lab.kill(name)
    assert [t.name for t in lab.troubles()] == [name]
    lab.up(announce=False)
    gate.touch()
    assert lab.run("w").wait(usual=60).status == "COMPLETED"
    lab.client("caller").schedule_new_workflow("sleepy", input=1, instance_id="timer")
    assert lab.run("timer").wait(usual=60).status == "COMPLETED"


def _worker_is_back_and_not_yet_found(lab) -> bool:
    """Start the worker of the target again; whether the caller is seen in the midst of the news.

    A call that found nobody keeps that round of placement open for 2 s.
    """
    lab.kill("target", "worker")
    number = len(lab.app("target").past)
    lab.client("caller").schedule_new_workflow("call", input={}, instance_id=f"w{number}")
    caller, target = lab.app("caller"), lab.app("target")
    target.start("worker")
    kind = "dapr.internal.default.target.retentioner"
    way = Route("caller", "target", caller.internal_address, kind)
    poll(target.connected_workers, 20, grows=True)
    return bool(closed([way], 0.5))


def test_placement_dies_while_a_worker_comes_back(make_lab, small):
    """The order that leaves healthy sidecars blocked for ever: see labkit.apps.routing."""
    lab = make_lab(small)
    lab.up(announce=False)
    assert any(_worker_is_back_and_not_yet_found(lab) for _ in range(5))
    lab.kill("placement")
    lab.up(announce=False)
    assert lab.obstacles() == []
    for instance in instance_ids_of(lab.app("caller").grpc_address, lab.app("caller").shared.token):
        assert lab.run(instance).wait(usual=60).status == "COMPLETED"


def test_a_scheduler_that_was_killed_is_said_to_be_silent(make_lab, small, tmp_path, capsys):
    lab = make_lab(small)
    lab.up(announce=False)
    lab.kill("scheduler")
    lab.up("caller")
    said = capsys.readouterr().out
    assert "caller: ready, without the scheduler" in said
    assert "keeps its leadership for 20 s" in said
    (seen,) = (r for r in all_runs() if r.path == lab.folder)
    outside = Attached(small, seen)
    assert [o.found.split(" was started")[0] for o in outside.obstacles()] == ["the scheduler"]
    (obstacle,) = lab.obstacles()
    client = lab.client("caller")
    with pytest.raises(WaitedTooLong) as caught:
        client.wait_for_workflow_completion("absent", timeout_in_seconds=1)
    assert "the scheduler was started" in caught.value.found
    with pytest.raises(NotInTime, match="the scheduler was started"):
        wait_until(lambda: False, 0.1)
    assert obstacle.fix == "wait for it: nothing is lost"
    wait_until(lambda: not lab.obstacles(), usual=60)
    assert outside.obstacles() == []
    outside.close()


def test_a_killed_lifeline_is_replaced_and_told(make_lab, small):
    lab = make_lab(small)
    lab.up(announce=False)
    before = lab.lifeline_pid
    os.kill(before, signal.SIGKILL)
    _, replaced = poll(lambda: lab.lifeline_pid != before, 5, grows=True)
    assert replaced
    assert "the lifeline was killed; a new one was started" in lab.status()
    lab.client("caller").schedule_new_workflow("call", input={}, instance_id="w")
    assert lab.run("w").wait().status == "COMPLETED"


def test_a_live_picture_follows_the_run(make_lab, small, tmp_path):
    lab, gate = make_lab(small), tmp_path / "gate"
    _begun(lab, gate)
    view = lab.run("w").live(every=0.05)
    assert "RUNNING" in repr(view)
    before = view.value
    lab.kill("target", "worker")
    lab.up(announce=False)
    gate.touch()
    assert lab.run("w").wait(usual=60).status == "COMPLETED"
    _, drawn = poll(
        lambda: "COMPLETED" in repr(view) and "worker down" in view.value, 5, grows=True
    )
    assert drawn
    assert view.value != before


def test_a_picture_shows_how_long_a_part_was_down(make_lab, small, tmp_path):
    lab, gate = make_lab(small), tmp_path / "gate"
    _begun(lab, gate)
    lab.kill("target", "worker")
    lab.up(announce=False)
    gate.touch()
    picture = lab.run("w").wait(usual=60).show()
    assert "worker down" in picture._repr_mimebundle_()["text/html"]


def test_a_picture_shows_that_an_app_was_started_later(make_lab, small):
    lab = make_lab(small)
    lab.up("caller", announce=False)
    lab.client("caller").schedule_new_workflow("call", input={}, instance_id="w")
    lab.up("target", announce=False)
    assert "app down" in lab.run("w").wait(usual=60).show().text
    lab.client("caller").schedule_new_workflow("call", input={}, instance_id="next")
    assert "down" not in lab.run("next").wait(usual=60).show().text
