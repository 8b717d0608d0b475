"""A worker or a sidecar has ended: whoever asks gets the process, its end and the fix, at once."""

from __future__ import annotations

import time
from contextlib import contextmanager

import grpc
import pytest
from dapr.ext.workflow import DaprWorkflowClient

from labkit.apps.client import CallFailed, WaitedTooLong
from labkit.labs.attached import Attached
from labkit.labs.lab import LabClosed
from labkit.labs.workflowrun import InstanceUnknown, NotFinished, StateNotReadable
from labkit.processes.lives import WHOLE
from labkit.processes.supervisor import ProcessEnded
from labkit.waiting import NotInTime, patience, wait_until
from tests.support.deployments import CALLER, TARGET, write_small

AT_ONCE = 2.0
ENDS_LATER = TARGET.replace(
    "    gate = ", "    if (given or {}).get('die'):\n        os._exit(3)\n    gate = "
)
assert ENDS_LATER != TARGET


@contextmanager
def at_once():
    """The block takes less than 2 s; on a busy machine as many times longer."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < AT_ONCE * patience()


@pytest.mark.parametrize("code", [0, 3])
def test_a_service_that_ends_is_not_ready_whatever_its_exit_code(make_lab, tmp_path, code):
    lab = make_lab(write_small(tmp_path, target=f"print('bye')\nraise SystemExit({code})\n"))
    for _ in range(2):  # the second start is asked, too
        with pytest.raises(ProcessEnded) as caught:
            lab.up(announce=False)
        assert f"exit code {code}" in caught.value.title
        assert "no worker is connected" in caught.value.title
        assert caught.value.found == "its log says: bye"
        assert "lab.up('target')" in caught.value.fix


def test_a_service_that_leaves_its_worker_behind_is_ready(make_lab, tmp_path):
    run_file = write_small(tmp_path)
    (tmp_path / "target" / "apart.sh").write_text("python3 main.py &\n")
    head, _, tail = run_file.read_text().rpartition('["python3", "main.py"]')
    run_file.write_text(f'{head}["sh", "apart.sh"]{tail}')
    lab = make_lab(run_file)
    lab.up(announce=False)
    assert lab.app("target").process("worker").exit_code == 0
    assert lab.app("target").connected_workers() == 1
    time_over = lab.app("target").process("worker").ended_at + 1
    wait_until(lambda: time.time() > time_over)
    assert lab.troubles() == []


def test_no_question_to_a_lab_without_a_worker_waits(make_lab, small):
    lab = make_lab(small)
    lab.up(announce=False)
    client = lab.client("caller")
    client.schedule_new_workflow("sleepy", input=1000, instance_id="w")
    wait_until(lambda: lab.run("w").history.steps())
    lab.kill("caller", "worker", announce=False)
    calls = {
        "schedule": lambda: client.schedule_new_workflow("call", input={}, instance_id="n"),
        "start": lambda: client.wait_for_workflow_start("w"),
        "completion": lambda: client.wait_for_workflow_completion("w"),
        "event": lambda: client.raise_workflow_event("w", "x"),
        "terminate": lambda: client.terminate_workflow("w"),
        "pause": lambda: client.pause_workflow("w"),
        "resume": lambda: client.resume_workflow("w"),
        "purge": lambda: client.purge_workflow("w"),
    }
    for name, call in calls.items():
        with at_once(), pytest.raises(CallFailed) as caught:
            call()
        assert caught.value.title.startswith("no worker is connected to caller"), name
        assert "SIGKILL" in caught.value.found
        assert caught.value.fix == "lab.up('caller')"
        assert isinstance(caught.value, grpc.RpcError)
        assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert caught.value.code == "call-failed"
    with at_once(), pytest.raises(NotFinished) as late:
        lab.run("w").wait()
    assert "caller worker" in late.value.title
    with at_once():
        assert lab.run("w").status == "RUNNING", "the store can be read without a worker"
        assert lab.run("w").settle() == "RUNNING"
    with at_once(), pytest.raises(InstanceUnknown) as unknown:
        lab.run("nobody")
    assert "caller worker ended" in unknown.value.found
    lab.up(announce=False)
    client.terminate_workflow("w")
    assert client.wait_for_workflow_completion("w", timeout_in_seconds=30).runtime_status.name


def test_no_question_to_a_lab_without_a_sidecar_waits(make_lab, small):
    lab = make_lab(small)
    lab.up(announce=False)
    client = lab.client("caller")
    client.schedule_new_workflow("sleepy", input=1000, instance_id="w")
    run = lab.run("w")
    lab.kill("caller", "sidecar", announce=False)
    seen = Attached(lab.run_file.path)
    for question in (lambda: client.get_workflow_state("w"), lambda: run.status,
                     lambda: run.history, lambda: run.show(), lambda: run.wait(),
                     lambda: lab.run("w"), lambda: seen.run("w")):  # fmt: skip
        with (
            at_once(),
            pytest.raises((CallFailed, StateNotReadable, NotFinished, InstanceUnknown)) as caught,
        ):
            question()
        assert "caller sidecar" in caught.value.title
        assert "SIGKILL" in caught.value.found
        assert "lab.up('caller')" in caught.value.fix
    with pytest.raises(apps_silent()) as silent:
        seen.app("caller").metadata()
    assert "ended with signal SIGKILL" in silent.value.found
    seen.close()


def apps_silent():
    from labkit.apps.sidecar import SidecarSilent

    return SidecarSilent


def test_a_wait_names_the_service_that_the_workflow_waits_for(make_lab, tmp_path):
    lab = make_lab(write_small(tmp_path, target=ENDS_LATER))
    lab.up(announce=False)
    client = lab.client("caller")
    client.schedule_new_workflow("call", input={"die": True}, instance_id="w")
    wait_until(lambda: lab.troubles(), usual=10)
    began = time.monotonic()
    with pytest.raises(NotFinished) as caught:
        lab.run("w").wait(usual=60)
    assert time.monotonic() - began < 4 * patience()
    assert "target worker" in caught.value.title
    assert "exit code 3" in caught.value.found
    assert caught.value.look_at.endswith("target.worker.log")
    (trouble,) = lab.troubles()
    with Seen(lab) as seen:
        (other,) = seen.troubles()
        assert str(other) == str(trouble)
        assert [a.app_id for a in seen.ended_services()] == ["target"]


def test_a_condition_that_a_failed_workflow_keeps_from_coming_true_names_it(make_lab, small):
    lab = make_lab(small)
    lab.up(announce=False)
    lab.client("caller").schedule_new_workflow("nobody", input={}, instance_id="w")
    lab.run("w").wait(usual=30)
    with pytest.raises(NotInTime) as caught:
        wait_until(lambda: False, 0.1)
    assert "workflow w on caller has FAILED: " in caught.value.found
    assert caught.value.look_at == "lab.run('w').history"
    lab.kill("target", "worker", announce=False)
    with pytest.raises(NotInTime) as caught:
        wait_until(lambda: False, 0.1)
    assert "target" in caught.value.found
    assert "lab.up('target')" in caught.value.fix


def test_a_workflow_that_does_not_need_what_has_ended_is_waited_for(make_lab, small):
    lab = make_lab(small)
    lab.up(announce=False)
    lab.client("caller").schedule_new_workflow("paced", input={}, instance_id="w")
    lab.kill("target", announce=False)
    assert lab.run("w").wait(usual=30).status == "COMPLETED"


class Seen:
    """A running lab from outside, closed after the block."""

    def __init__(self, lab):
        self.path = lab.run_file.path

    def __enter__(self):
        self.seen = Attached(self.path)
        return self.seen

    def __exit__(self, *_):
        self.seen.close()


def test_the_client_is_the_sdk_s_own_and_what_the_sidecar_says_is_shown(make_lab, small):
    lab = make_lab(small)
    lab.up(announce=False)
    client = lab.client("caller")
    assert type(client) is DaprWorkflowClient
    client.schedule_new_workflow("sleepy", input=1000, instance_id="w")
    with pytest.raises(grpc.RpcError) as caught:
        client.schedule_new_workflow("sleepy", input=1000, instance_id="w")
    assert "already exists" in caught.value.details()
    assert caught.value.details() in caught.value.found
    with pytest.raises(TimeoutError) as late:
        client.wait_for_workflow_completion("w", timeout_in_seconds=1)
    assert isinstance(late.value, WaitedTooLong)
    assert client.get_workflow_state("nobody") is None


def test_a_call_without_an_answer_ends_at_its_deadline(make_lab, small, monkeypatch):
    monkeypatch.setattr("labkit.apps.client.CALL_SECONDS", 1.0)
    monkeypatch.setattr("labkit.apps.client.WAIT_SECONDS", 1.0)
    lab = make_lab(small)
    lab.up(announce=False)
    client = lab.client("caller")
    client.schedule_new_workflow("sleepy", input=1000, instance_id="w")
    with pytest.raises(WaitedTooLong):
        client.wait_for_workflow_completion("w")
    with lab.frozen("caller", "sidecar"), pytest.raises(CallFailed) as caught:
        client.schedule_new_workflow("call", input={}, instance_id="n")
    assert "did not answer" in caught.value.title


def test_a_service_that_runs_without_a_worker_is_not_waited_for(make_lab, tmp_path):
    run_file = write_small(tmp_path, caller="import signal\nsignal.pause()\n")
    text = run_file.read_text().replace("- appID: caller\n", "- appID: caller\n  appPort: 0\n")
    run_file.write_text(text)
    lab = make_lab(run_file)
    lab.up("target", announce=False)
    with pytest.raises(Exception, match="no worker is connected"):
        lab.up("caller", within=2, announce=False)
    with pytest.raises(CallFailed, match="no worker is connected"):
        lab.client("caller").schedule_new_workflow("call", input={}, instance_id="n")


def test_a_lab_that_was_ended_says_so(make_lab, small):
    lab = make_lab(small)
    lab.up(announce=False)
    client = lab.client("caller")
    client.schedule_new_workflow("sleepy", input=1000, instance_id="w")
    run = lab.run("w")
    lab.down()
    assert [t.name for t in lab.troubles()] == [WHOLE]
    for question in (lambda: lab.client("caller"), lambda: lab.run("w"), lambda: run.status):
        with at_once(), pytest.raises(LabClosed):
            question()
    with at_once(), pytest.raises(CallFailed) as caught:
        client.schedule_new_workflow("call", input={}, instance_id="n")
    assert "lab.down()" in caught.value.title


def test_the_swimlane_of_another_kernel_s_lab_shows_what_was_down(make_lab, small):
    lab = make_lab(small)
    lab.up(announce=False)
    lab.client("caller").schedule_new_workflow("sleepy", input=1, instance_id="w")
    lab.kill("target", "worker", announce=False)
    lab.up(announce=False)
    assert lab.run("w").wait(usual=30).status == "COMPLETED"
    with Seen(lab) as seen:
        assert seen.run("w").swimlane().text == lab.run("w").swimlane().text
        assert "worker down" in seen.run("w").swimlane().text
    assert CALLER in (small.parent / "caller" / "main.py").read_text()
