"""What becomes of an event: the proofs of what the lesson about waiting says.

One lab for all, as most of them only wait; those that end a process make their own.
"""

from __future__ import annotations

import time

import grpc
import psutil
import pytest
from dapr.ext.workflow import DaprWorkflowClient

from labkit.apps.client import CallFailed
from labkit.history.stillness import RESUMED
from labkit.labs.lab import Lab
from labkit.waiting import wait_until
from tests.support.waiting import write_waiting


@pytest.fixture(scope="module")
def waits(tmp_path_factory, state_folder):
    with Lab(write_waiting(tmp_path_factory.mktemp("waits") / "deployment")) as lab:
        lab.up(announce=False)
        yield lab


def start(lab, workflow, given=None, id=None):
    id = id or f"{workflow}-{time.time_ns()}"
    lab.client("caller").schedule_new_workflow(workflow, input=given, instance_id=id)
    return lab.run(id)


def go(lab, run, data, app="caller"):
    id = run if isinstance(run, str) else run.instance_id
    lab.client(app).raise_workflow_event(id, "go", data=data)


def timer_fired(run):
    wait_until(lambda: "timerFired" in run.history.kinds, usual=60)


def test_an_event_before_the_instance_exists_is_refused_and_not_kept(waits):
    with pytest.raises(CallFailed, match="no such instance exists"):
        go(waits, "not-yet", "early")
    run = start(waits, "one", id="not-yet")
    go(waits, run, "in time")
    assert run.wait().output == "in time"


def test_an_event_before_the_wait_is_kept(waits):
    run = start(waits, "later", 1)
    go(waits, run, "early")
    assert run.wait().output == "early"


def test_one_event_ends_one_wait_and_the_case_of_its_name_does_not_count(waits):
    run = start(waits, "two")
    go(waits, run, 1)
    go(waits, run, 2)
    assert run.wait().output == [1, 2]


def test_an_event_after_the_end_is_accepted_and_lost(waits):
    run = start(waits, "one")
    go(waits, run, 1)
    before = run.wait().history.kinds
    go(waits, run, 2)
    assert (run.output, run.history.kinds) == (1, before)


@pytest.mark.parametrize("data", [False, 0, "", [], {}])
def test_data_that_counts_as_false_arrives_as_none(waits, data):
    run = start(waits, "one")
    go(waits, run, data)
    assert run.wait().output is None


def test_the_client_of_another_app_does_not_know_the_instance(waits):
    run = start(waits, "one")
    with pytest.raises(CallFailed, match="no such instance exists"):
        go(waits, run, 1, app="target")
    go(waits, run, 2)
    assert run.wait().output == 2


def test_a_wait_that_has_timed_out_leaves_the_event_to_the_next_wait(waits):
    run = start(waits, "limited", 1)
    timer_fired(run)
    go(waits, run, "late")
    assert run.wait().output == ["second wait", "late"]


def test_a_wait_that_has_lost_a_race_with_a_timer_still_takes_the_event(waits):
    run = start(waits, "raced", 1)
    timer_fired(run)
    go(waits, run, "late")
    assert run.wait(usual=60).output == ["first wait, after it had lost"]


def test_an_event_for_a_suspended_workflow_is_taken_after_resume(waits):
    run = start(waits, "one")
    waits.client("caller").pause_workflow(run.instance_id)
    go(waits, run, "meanwhile")
    wait_until(lambda: "eventRaised" in run.history.kinds, usual=30)
    assert run.status == "SUSPENDED"
    waits.client("caller").resume_workflow(run.instance_id)
    assert run.wait().output == "meanwhile"


def test_a_terminated_workflow_takes_no_event_and_refuses_none(waits):
    run = start(waits, "one")
    wait_until(lambda: "timerCreated" in run.history.kinds, usual=30)
    waits.client("caller").terminate_workflow(run.instance_id)
    assert run.wait().status == "TERMINATED"
    go(waits, run, 1)
    assert run.status == "TERMINATED"


def test_continue_as_new_keeps_events_only_when_asked_to(waits):
    ends = {}
    for save in (True, False):
        run = start(waits, "watch", {"each": 1, "seen": [], "save": save})
        waits.client("caller").pause_workflow(run.instance_id)  # so that all are there at once
        for data in ("a", "b", "stop"):
            go(waits, run, data)
        wait_until(lambda run=run: run.history.kinds.count("eventRaised") == 3, usual=30)
        waits.client("caller").resume_workflow(run.instance_id)
        ends[save] = (run.settle(3), run.output)
    assert ends == {True: ("COMPLETED", ["a", "b"]), False: ("RUNNING", None)}


def test_without_continue_as_new_the_history_grows_with_every_event(waits):
    events = {}
    for each in (5, 1000):
        run = start(waits, "watch", {"each": each, "seen": [], "save": True})
        for number in range(1, 31):
            go(waits, run, number)
        go(waits, run, "stop")
        assert run.wait(usual=120).output == list(range(1, 31)), (
            "none is lost, and their order is kept"
        )
        events[each] = len(run.history.events)
    assert events[5] < 50 < 90 < events[1000]


def test_a_wait_and_its_time_out_survive_the_end_of_everything(tmp_path, state_folder):
    run_file = write_waiting(tmp_path / "deployment")
    with Lab(run_file) as lab:
        lab.up("caller", announce=False)
        start(lab, "one", id="waits")
        start(lab, "limited", 1, id="limited")
        wait_until(lambda: "timerCreated" in lab.run("limited").history.kinds, usual=30)
        wait_until(lambda: "timerCreated" in lab.run("waits").history.kinds, usual=30)
    with Lab(run_file, resume=True) as lab:
        lab.up("caller", announce=False)
        assert lab.run("waits").status == "RUNNING"
        go(lab, "waits", "after")
        assert lab.run("waits").wait().output == "after"
        timer_fired(lab.run("limited"))
        go(lab, "limited", "late")
        assert lab.run("limited").wait().output == ["second wait", "late"]


def test_without_a_worker_an_event_is_refused_and_not_kept(make_lab, tmp_path):
    lab = make_lab(write_waiting(tmp_path / "deployment"))
    lab.up("caller", announce=False)
    run = start(lab, "one")
    wait_until(lambda: "timerCreated" in run.history.kinds, usual=30)
    plain = DaprWorkflowClient(host="127.0.0.1", port=str(lab.app("caller").ports.grpc))
    lab.kill("caller", "worker", announce=False)
    wait_until(lambda: not lab.app("caller").connected_workers(), usual=30)
    with pytest.raises(grpc.RpcError) as caught:
        plain.raise_workflow_event(run.instance_id, "go", data="nobody there")
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    lab.up("caller", announce=False)
    go(lab, run, "again")
    assert run.wait().output == "again"


def test_a_workflow_that_is_suspended_twice_does_not_come_back_from_its_resume(
    make_lab, tmp_path, monkeypatch
):
    """Its worker computes for ever: seen by the time of CPU that it uses, and in the history."""
    monkeypatch.setattr("labkit.apps.client.CALL_SECONDS", 3)
    lab = make_lab(write_waiting(tmp_path / "deployment"))
    lab.up("caller", announce=False)
    run = suspended_twice(lab)
    with pytest.raises(CallFailed, match="did not answer within") as caught:
        lab.client("caller").resume_workflow(run.instance_id)
    assert "the workflow was suspended twice" in caught.value.found
    assert caught.value.fix == RESUMED
    _require_busy(lab)
    with pytest.raises(CallFailed, match="has not yet completed"):
        lab.client("caller").purge_workflow(run.instance_id)
    lab.kill("caller", "worker", announce=False)
    lab.up("caller", announce=False)
    _require_busy(lab)
    assert run.status == "SUSPENDED"
    assert "executionResumed" not in run.history.kinds, "the turn has never been written"
    other = start(lab, "one")
    go(lab, other, "beside it")
    assert other.wait(usual=60).output == "beside it", "the same worker serves others"


def test_a_workflow_that_is_suspended_twice_can_be_terminated(make_lab, tmp_path):
    lab = make_lab(write_waiting(tmp_path / "deployment"))
    lab.up("caller", announce=False)
    run = suspended_twice(lab)
    lab.client("caller").terminate_workflow(run.instance_id)
    assert run.wait(usual=60).status == "TERMINATED"


def test_an_event_before_the_resume_and_is_patched_behind_it_stall_a_workflow(make_lab, tmp_path):
    """The same code cannot repeat its own turn: the start of it, with the patch, is kept back."""
    lab = make_lab(write_waiting(tmp_path / "deployment"))
    lab.up("caller", announce=False)
    client = lab.client("caller")
    plain, run = (start(lab, "patched") for _ in range(2))
    for one in (plain, run):
        wait_until(lambda r=one: "timerCreated" in r.history.kinds, usual=30)
    client.pause_workflow(run.instance_id)
    wait_until(lambda: "executionSuspended" in run.history.kinds, usual=30)
    for one in (plain, run):
        go(lab, one, "kept")
        wait_until(lambda r=one: "eventRaised" in r.history.kinds, usual=30)
    client.resume_workflow(run.instance_id)
    for one in (plain, run):
        wait_until(lambda r=one: r.history.kinds.count("timerCreated") == 2, usual=30)
        client.raise_workflow_event(one.instance_id, "again", data="last")
    assert plain.wait().output == "last"
    wait_until(lambda: run.status == "STALLED", usual=30)
    stalled = run.history.stalled
    assert "History patches: [what comes next], current patches: []" in stalled.description
    with pytest.raises((CallFailed, grpc.RpcError), match=r"stalled|not yet completed"):
        client.terminate_workflow(run.instance_id)


def suspended_twice(lab):
    """Return a workflow that waits, and that was suspended twice."""
    run, client = start(lab, "one"), lab.client("caller")
    wait_until(lambda: "timerCreated" in run.history.kinds, usual=30)
    for count in (1, 2):
        client.pause_workflow(run.instance_id)
        wait_until(lambda n=count: run.history.kinds.count("executionSuspended") == n, usual=30)
    return run


def _require_busy(lab):
    """Require that the worker uses seconds of CPU while it has next to nothing to do."""
    worker = psutil.Process(lab.app("caller").process("worker").pid)
    before = sum(worker.cpu_times()[:2])
    wait_until(lambda: sum(worker.cpu_times()[:2]) > before + 4, usual=60)
