"""Status, history, picture and the error of a wait say the same of workflows that stand still."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta, timezone

import grpc
import pytest
from dapr.ext.workflow._durabletask.internal import orchestrator_service_pb2_grpc as stubs
from dapr.ext.workflow._durabletask.internal import protos as pb

from labkit.apps.client import CallFailed
from labkit.history.sidecar import TOKEN_HEADER
from labkit.labs.lab import Lab
from labkit.labs.workflowrun import NotBegun, NotFinished
from labkit.replay import replay, runtime_of
from labkit.waiting import wait_until
from tests.support.scenarios import DATA


@pytest.fixture(scope="module")
def lab(tmp_path_factory, state_folder):
    folder = tmp_path_factory.mktemp("statuses") / "programs"
    shutil.copytree(DATA / "programs", folder, ignore=shutil.ignore_patterns("__pycache__"))
    with Lab(folder / "dapr.yaml") as lab:
        lab.up(announce=False)
        yield lab


def start(lab, workflow, name, given=None, **more):
    lab.client("front").schedule_new_workflow(workflow, input=given, instance_id=name, **more)
    return lab.run(name)


def comes_to(run, status):
    wait_until(lambda: run.status == status, what=f"{run.instance_id} is {status}", usual=60)
    history = run.history
    assert history.status == status
    assert f": {status}" in str(run.swimlane()).splitlines()[0]
    assert status in run.swimlane().text.splitlines()[-1]
    with pytest.raises(NotFinished) as error:
        run.wait(0)
    assert f"status {status}" in error.value.found
    return error.value


def release(lab, newer):
    file = lab.app("front").spec.folder / "newer"
    file.touch() if newer else file.unlink()
    lab.restart("front", announce=False)


def test_a_history_that_is_too_large_is_stalled_with_its_reason_and_cannot_be_ended(lab):
    error = comes_to(start(lab, "piles", "large", 4), "STALLED")
    assert "PAYLOAD_SIZE_EXCEEDED: Workflow payload size" in error.found
    assert "passes references in place of the data" in error.fix
    with pytest.raises(CallFailed, match="actor is stalled"):
        lab.client("front").terminate_workflow("large")


def test_a_version_that_is_gone_stalls_until_it_is_there_again(lab):
    release(lab, newer=True)
    run = start(lab, "claim", "gone")
    wait_until(lambda: "timerCreated" in run.history.kinds, usual=30)
    release(lab, newer=False)
    lab.client("front").raise_workflow_event("gone", "go")
    error = comes_to(run, "STALLED")
    assert "VERSION_NOT_AVAILABLE: Version not available: second" in error.found
    assert "register this version of the workflow again" in error.fix
    assert "stalled VERSION_NOT_AVAILABLE" in run.swimlane().text
    release(lab, newer=True)
    assert run.wait(usual=60).output == ["second begins"]
    assert run.history.status == "COMPLETED"
    release(lab, newer=False)


def test_a_suspended_workflow_is_shown_with_what_it_waits_for_and_how_to_resume_it(lab):
    run = start(lab, "approve", "paused-1")
    wait_until(lambda: "timerCreated" in run.history.kinds, usual=30)
    lab.client("front").pause_workflow("paused-1")
    error = comes_to(run, "SUSPENDED")
    assert "it was suspended; it waits for event approval" in error.found
    assert "resume_workflow('paused-1')" in error.fix
    lab.client("front").resume_workflow("paused-1")
    lab.client("front").raise_workflow_event("paused-1", "approval", data=1)
    assert run.wait().output == 1
    words = run.swimlane().text
    assert words.index("suspended") < words.index("resumed")


@pytest.mark.parametrize(
    ("workflow", "given", "waits"),
    [
        ("approve", None, "it waits for event approval"),
        ("approve_or_late", 3600, "it waits for event approval, a timer, due at"),
        ("approve_within", 3600, "it waits for event approval until"),
        ("family", None, "it waits for child workflow patient on back, instance r-family-a"),
        ("absent_at_once", None, "its history has no open step"),
    ],
)
def test_a_running_workflow_says_what_it_waits_for(lab, workflow, given, waits):
    run = start(lab, workflow, f"r-{workflow}", given)
    assert "RUNNING" in repr(run)

    def said():
        with pytest.raises(NotFinished) as error:
            run.wait(0)
        return waits in error.value.found

    wait_until(said, what=waits, usual=30)


def test_a_workflow_that_has_not_begun_has_no_history_and_says_so(lab):
    later = datetime.now(timezone.utc) + timedelta(hours=1)
    run = start(lab, "approve", "tomorrow", start_at=later)
    assert run.status == "PENDING"
    with pytest.raises(NotBegun, match="PENDING: it was accepted"):
        _ = run.history
    with pytest.raises(NotFinished, match="status PENDING"):
        run.wait(0)


def test_a_rerun_names_the_instance_that_it_comes_from_and_replays(lab):
    start(lab, "guard", "origin", "all").wait()
    app = lab.app("front")
    request = pb.RerunWorkflowFromEventRequest(
        sourceInstanceID="origin", eventID=3, newInstanceID="rerun"
    )
    with grpc.insecure_channel(app.grpc_address) as channel:
        rerun = stubs.TaskHubSidecarServiceStub(channel).RerunWorkflowFromEvent
        rerun(request, metadata=((TOKEN_HEADER, app.shared.token),))
    run = lab.run("rerun").wait()
    assert run.output == ["undone", "ValueError", "None"]
    assert run.history.status_words == "COMPLETED, rerun of origin"
    assert str(run.swimlane()).startswith("guard on front: COMPLETED, rerun of origin")
    turns = replay(runtime_of(app.spec.folder / "main.py"), run.history.events)
    assert (turns[-1].failure, turns[-1].status) == (None, "COMPLETED")


def test_a_workflow_that_continued_as_new_is_named_so(lab):
    run = start(lab, "count_down", "count", 3).wait()
    assert run.history.is_continued
    assert str(run.swimlane()).startswith("count_down on front: COMPLETED, continued as new")
    start(lab, "watch", "plain", 1)
    assert not start(lab, "no_steps", "none").wait().history.is_continued
