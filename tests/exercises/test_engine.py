"""The grading engine: unknown when it cannot know, hints by what is observed, nothing lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from labkit import Lab, paths
from labkit.cli import exercises as cli
from labkit.cli import progress as progress_cli
from labkit.course import progress
from labkit.course.verdict import Row
from labkit.exercises import (
    apply,
    begin,
    check,
    diagnose,
    hint,
    load,
    next_exercise,
    overview,
    reset,
)
from labkit.exercises.catalogue import Edit, NoSuchExercise
from labkit.exercises.deployment import EditDoesNotFit, edit
from labkit.exercises.hinting import _levels
from labkit.labs import runs
from labkit.labs.attached import AppNotRunning, Attached, LabNotRunning
from labkit.processes.supervisor import ProcessEnded
from labkit.waiting import wait_until

ID = "every-order-fails"
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
    with Lab(begin(ID)) as lab:
        lab.up(announce=False)
        client = lab.client("task-orchestrator-service")
        client.schedule_new_workflow("task_processing_multi_app", input=ORDER, instance_id="order")
        lab.run("order").settle(10)
        yield lab


def test_without_a_running_lab_the_verdict_is_unknown_and_says_what_to_run():
    begin(ID)
    verdict = check(ID)
    assert verdict.outcome == "unknown"
    assert "not running" in verdict.stopped_at.observed
    assert "run the cell with Lab(run_file)" in verdict.stopped_at.look_at
    with pytest.raises(LabNotRunning):
        Attached(load(ID).run_file)


def test_a_dead_sidecar_makes_it_unknown_and_never_wrong():
    with running() as lab:
        assert check(ID).outcome == "failed"
        lab.kill("task-orchestrator-service", "sidecar")
        verdict = check(ID)
        assert verdict.outcome == "unknown"
        assert "observed" in repr(verdict)


def test_a_service_that_ended_is_named_with_its_last_words():
    main = begin(ID).parent / "task-orchestrator-service" / "main.py"
    main.write_text("def broken(:\n")
    with Lab(load(ID).run_file) as lab:
        with pytest.raises(ProcessEnded):
            lab.up(announce=False)
        stopped = check(ID).stopped_at
    assert stopped.outcome == "unknown"
    assert "task-orchestrator-service worker ended with exit code 1" in stopped.observed
    assert "SyntaxError" in stopped.observed
    assert stopped.look_at.startswith(str(lab.folder))


def test_a_hint_is_about_the_status_that_is_seen_now():
    def told(id, observed):
        row = Row("ended", "the workflow ends", "COMPLETED", observed, "-", "failed")
        return _levels(load(id).hints, row)[1][0]

    assert "FAILED, with a message from the SDK" in told("helper-ends-the-workflow", "FAILED: x")
    assert "does not end" in told("helper-ends-the-workflow", "RUNNING")
    assert "which name is not known" in told("nothing-is-retried", "FAILED: x")
    assert "does not fail, and does not end" in told("nothing-is-retried", "RUNNING")
    assert "FAILED now" in told("nobody-answers", "FAILED: x")


def test_files_that_are_newer_than_what_runs_make_it_unknown_and_are_named():
    with running() as lab:
        assert check(ID).outcome == "failed"
        main = lab.run_file.path.parent / "task-orchestrator-service" / "main.py"
        main.write_text(main.read_text() + "\n# a change\n")
        stopped = check(ID).stopped_at
        assert stopped.outcome == "unknown"
        assert "task-orchestrator-service/main.py" in stopped.observed
        assert "run the scenario again" in stopped.look_at
        assert "no verdict yet" in hint(ID)


def test_a_run_that_is_older_than_the_last_change_gives_no_verdict():
    with running() as lab:
        apply(ID)
        lab.restart("task-orchestrator-service", announce=False)
        stopped = check(ID).stopped_at
        assert stopped.outcome == "unknown", stopped
        assert "was changed after the scenario was run" in stopped.observed
        client = lab.client("task-orchestrator-service")
        client.schedule_new_workflow("task_processing_multi_app", input=ORDER, instance_id="order")
        lab.run("order").settle(10)
        assert check(ID).passed


def test_after_a_reset_the_old_lab_gives_no_verdict():
    begin(ID)
    apply(ID)
    with running():
        assert check(ID).passed
        reset(ID)
        stopped = check(ID).stopped_at
        assert stopped.outcome == "unknown"
        assert "reset" in stopped.observed


def test_the_second_lab_leaves_the_learners_lab_and_no_process_behind(tmp_path):
    begin(ID)
    apply(ID)
    with running() as lab:
        before = (lab.folder, len(lab.inbox))
        verdict = check(ID)
        assert verdict.passed
        assert "second lab" in {row.where for row in verdict.rows}
        assert (lab.folder, len(lab.inbox)) == before
        others = [r for r in runs.all_runs() if r.path != lab.folder]
        assert [r for r in others if r.alive or r.processes] == []
        assert Attached(lab.run_file.path).folder == lab.folder


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
    assert "Hint 1 of 3" in told[0]
    assert "Hint 3 of 3" in told[2]
    assert told[3] == told[2].replace("3 of 3", "3 of 3, the last")
    assert len(progress.entries("hint", ID)) == 3, "the last level again is no further hint"


def test_solved_twice_in_a_row_and_beside_another_learners_lab(tmp_path, monkeypatch):
    with running():
        monkeypatch.setenv("LABKIT_STATE", str(tmp_path / "another"))
        begin(ID)
        apply(ID)
        for _ in range(2):
            with running():
                assert check(ID).passed
        monkeypatch.setenv("LABKIT_STATE", str(tmp_path / "state"))
        assert check(ID).outcome == "failed", "the first learner's lab is judged by itself"


def test_the_overview_is_computed_from_the_evidence(capsys):
    def state():
        return next(s for s in overview() if s.id == ID)

    assert (state().state, state().hints) == ("not begun", 0)
    with running():
        check(ID)
        hint(ID)
        assert (state().state, state().hints) == ("begun", 1)
    progress.note("verdict", ID, passed=True)
    progress.note("verdict", ID, passed=False)
    assert state().state == "passed", "what was passed once stays passed"
    assert [s.lesson for s in overview()] == sorted(s.lesson for s in overview())
    assert progress_cli.main(["status"]) == 0
    assert f"{ID} " in capsys.readouterr().out


def test_next_names_an_exercise_of_a_finished_lesson(capsys):
    assert next_exercise() is None
    progress.note("lesson", "06-a-service-with-its-own-needs", state="finished")
    first = next_exercise()
    assert first == next(s.id for s in overview() if s.lesson == "06")
    progress.note("verdict", first, passed=True)
    assert next_exercise() not in (None, first)
    assert progress_cli.main(["next"]) == 0
    assert "to practise: 06." in capsys.readouterr().out


def test_a_run_file_that_is_gone_is_put_back_and_what_was_changed_stays(capsys):
    exercise = load("some-pay-the-old-price")
    run_file = begin(exercise.id)
    first = run_file.read_text()
    changed = exercise.work / "payments" / "start.sh"
    changed.write_text("# mine\n")
    run_file.unlink()
    capsys.readouterr()
    assert begin(exercise.id).read_text() == first
    assert "missing, and put back: dapr.yaml;" in capsys.readouterr().out
    assert changed.read_text() == "# mine\n"
    assert not [p for p in exercise.work.parent.iterdir() if p.name.startswith(".")]


def test_reset_keeps_what_it_replaces():
    run_file = begin(ID)
    mine = run_file.parent / "notification-service" / "main.py"
    mine.write_text("mine")
    assert begin(ID) == run_file
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
    run_file = begin(ID)
    (run_file.parent / "notification-service" / "main.py").write_text(wild)
    with Lab(run_file) as lab:
        lab.up("task-orchestrator-service", announce=False)
        client = lab.client("task-orchestrator-service")
        client.schedule_new_workflow("task_processing_multi_app", input=ORDER, instance_id="order")
        verdict = check(ID)
    assert verdict.outcome == "failed"
    assert verdict.stopped_at.observed == "RUNNING"


def test_a_grader_that_is_killed_leaves_whole_evidence_and_no_process():
    begin(ID)
    apply(ID)
    with running() as lab:
        command = [sys.executable, "-m", "labkit.cli", "check", ID]
        one = subprocess.Popen(command, env=dict(os.environ), cwd=paths.repo())

        def second_lab():
            return [r for r in runs.all_runs() if r.path != lab.folder and r.processes]

        wait_until(second_lab, what="the second lab of the check", usual=60)
        os.kill(one.pid, signal.SIGKILL)
        one.wait()
        wait_until(lambda: not second_lab(), what="no process of the second lab is left", usual=30)
        assert check(ID).passed
    assert [e.facts["outcome"] for e in progress.entries("verdict")] == ["passed"]


def test_a_diagnosis_is_saved_and_an_empty_one_is_asked_for_again():
    assert "one sentence" in diagnose(ID, "")
    assert "saved" in diagnose(ID, "The name of the activity is wrong")
    assert len(progress.entries("explanation", ID)) == 1


def test_wrong_ids_and_edits_are_clear(capsys, tmp_path):
    with pytest.raises(NoSuchExercise) as caught:
        check("every-order")
    assert ID in caught.value.fix
    with pytest.raises(NoSuchExercise) as caught:
        check("02.9")
    assert "lesson 02: 02.1 add-send-sms" in caught.value.found
    with pytest.raises(NoSuchExercise) as caught:
        check()
    assert "no exercise is named" in str(caught.value)
    assert load(2.1).label == "02.1"
    (tmp_path / "a").write_text("x x")
    with pytest.raises(EditDoesNotFit) as caught:
        edit(tmp_path, [Edit("a", "y", "x")])
    assert "2 times" in caught.value.found
    assert cli.main(["reset", ID]) == 0
    assert "the files are as at the start" in capsys.readouterr().out


def test_an_app_that_was_not_started_is_named():
    with running() as lab:
        seen = Attached(lab.run_file.path)
        with pytest.raises(AppNotRunning):
            seen.app("audit-service")
        assert seen.inbox == ()
        assert seen.troubles() == []
        seen.close()
