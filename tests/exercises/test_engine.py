"""The grading engine: unknown when it cannot know, hints by what is observed, nothing lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from labkit import Lab, paths, progress
from labkit.attached import AppNotRunning, Attached, LabNotRunning
from labkit.cli import exercises as cli
from labkit.exercises import broken, check, diagnose, hint, load, reset
from labkit.exercises.catalogue import Edit, NoSuchExercise
from labkit.exercises.deployment import EditDoesNotFit, edit

ID = "activity-name-typo"
ORDER = {
    "task_id": "task-123",
    "title": "Review PR",
    "assignee_email": "alice@example.com",
    "assignee_user_id": "user-alice",
}


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_STATE", str(tmp_path / "state"))


@contextmanager
def running():
    """The broken deployment, with its order scheduled."""
    with Lab(broken(ID)) as lab:
        lab.up(announce=False)
        client = lab.client("task-orchestrator-service")
        client.schedule_new_workflow("task_processing_multi_app", input=ORDER, instance_id="order")
        lab.run("order").settle(10)
        yield lab


def test_without_a_running_lab_the_verdict_is_unknown_and_says_what_to_run():
    broken(ID)
    verdict = check(ID)
    assert verdict.outcome == "unknown"
    assert "not running" in verdict.stopped_at.observed
    assert "lab.up()" in verdict.stopped_at.look_at
    with pytest.raises(LabNotRunning):
        Attached(load(ID).run_file)


def test_a_dead_sidecar_makes_it_unknown_and_never_wrong():
    with running() as lab:
        assert check(ID).outcome == "failed"
        lab.kill("task-orchestrator-service", "sidecar")
        verdict = check(ID)
        assert verdict.outcome == "unknown"
        assert "observed" in repr(verdict)


def test_terminal_and_notebook_give_the_same_verdict():
    with running():
        here = check(ID)
        done = subprocess.run(
            [sys.executable, "-m", "labkit.cli", "check", ID, "--json"],
            capture_output=True, text=True, env=dict(os.environ), cwd=paths.repo(),
        )  # fmt: skip
        assert done.returncode == 1
        assert json.loads(done.stdout) == json.loads(json.dumps(here.as_dict()))
    assert [e.facts["outcome"] for e in progress.entries("verdict")] == ["failed", "failed"]


def test_hints_come_in_three_levels_and_are_noted():
    with running():
        told = [hint(ID) for _ in range(4)]
    assert ["Hint 1 of 3" in told[0], "Hint 3 of 3" in told[2], told[2] == told[3]] == [True] * 3
    assert len(progress.entries("hint", ID)) == 4


def test_reset_keeps_what_it_replaces():
    run_file = broken(ID)
    mine = run_file.parent / "notification-service" / "main.py"
    mine.write_text("mine")
    assert broken(ID) == run_file
    assert mine.read_text() == "mine", "a second look leaves it alone"
    assert "kept-1" in reset(ID)
    assert mine.read_text() != "mine"
    kept = run_file.parent.with_name(f"{ID}.kept-1")
    assert (kept / "notification-service" / "main.py").read_text() == "mine"


def test_learner_code_that_prints_loops_forks_or_removes_itself_cannot_hurt_the_grader():
    wild = """
import os, pathlib, threading
print("x" * 5_000_000, flush=True)
pathlib.Path(__file__).unlink()
if os.fork() == 0:
    raise BaseException("a child")
threading.Event().wait()
"""
    run_file = broken(ID)
    (run_file.parent / "notification-service" / "main.py").write_text(wild)
    with Lab(run_file) as lab:
        lab.up("task-orchestrator-service", announce=False)
        client = lab.client("task-orchestrator-service")
        client.schedule_new_workflow("task_processing_multi_app", input=ORDER, instance_id="order")
        verdict = check(ID)
    assert verdict.outcome == "failed"
    assert verdict.stopped_at.observed == "RUNNING"


def test_a_stopped_grader_leaves_whole_evidence():
    with running():
        command = [sys.executable, "-m", "labkit.cli", "check", ID]
        one = subprocess.Popen(command, env=dict(os.environ), cwd=paths.repo())
        os.kill(one.pid, signal.SIGKILL)
        one.wait()
        check(ID)
    assert all(e.kind == "verdict" for e in progress.entries())


def test_a_diagnosis_is_saved_and_an_empty_one_is_asked_for_again():
    assert "one sentence" in diagnose(ID, "")
    assert "saved" in diagnose(ID, "The name of the activity is wrong")
    assert len(progress.entries("explanation", ID)) == 1


def test_wrong_ids_and_edits_are_clear(capsys, tmp_path):
    with pytest.raises(NoSuchExercise) as caught:
        check("activity-name")
    assert ID in caught.value.mend
    (tmp_path / "a").write_text("x x")
    with pytest.raises(EditDoesNotFit) as caught:
        edit(tmp_path, [Edit("a", "y", "x")])
    assert "2 times" in caught.value.found
    assert cli.main(["reset", ID]) == 0
    assert "begun anew" in capsys.readouterr().out


def test_an_app_that_was_not_started_is_named():
    with running() as lab:
        seen = Attached(lab.run_file.path)
        with pytest.raises(AppNotRunning):
            seen.app("audit-service")
        assert seen.inbox == ()
        assert seen.troubles() == []
        seen.close()
