"""The command line: exit codes, JSON that is nothing but JSON, errors without tracebacks."""

from __future__ import annotations

import errno
import importlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from labkit import jupyter, paths, progress, runs, versions
from labkit import redis as labkit_redis
from labkit.cli import __main__ as cli
from labkit.cli import test as suite
from labkit.console import Console
from labkit.errors import LabError
from labkit.runtime import ensured, released


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_STATE", str(tmp_path / "state"))


def raising(problem):
    def fail():
        raise problem

    return fail


def test_help_lists_every_verb_and_an_unknown_one_is_corrected(capsys):
    assert cli.main([]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {verb} " in shown for verb in cli.VERBS)
    assert cli.main(["demmo"]) == 2
    assert "did you mean demo?" in capsys.readouterr().err


@pytest.mark.parametrize("verb", sorted(cli.VERBS))
def test_every_verb_has_help(verb, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main([verb, "--help"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: ./lab {verb}")


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (["ps", "--json"], "labs"),
        (["status", "--json"], "lessons"),
        (["next", "--json"], "lesson"),
        (["runtime", "--json"], "sha256"),
        (["doctor", "--json"], "findings"),
    ],
)
def test_json_is_one_object_and_nothing_else(words, key, capsys):
    assert cli.main(words) in (0, 1)
    assert key in json.loads(capsys.readouterr().out)


def test_an_error_is_shown_with_its_fields_or_as_json(capsys):
    assert cli.main(["check", "nothing"]) == 1
    assert "no-such-exercise" in capsys.readouterr().err
    assert cli.main(["check", "nothing", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "no-such-exercise"
    assert cli.main(["logs", "nobody", "--no-follow"]) == 1
    assert "no lab has run yet" in capsys.readouterr().err


def test_logs_stop_and_clean_work_on_what_runs_have_left(capsys):
    run = runs.create(Path("dapr.yaml"), None)
    (run.path / "logs").mkdir()
    (run.path / "logs" / "web.worker.log").write_text("hello\n")
    run.close()
    assert cli.main(["logs", "web", "--no-follow"]) == 0
    assert capsys.readouterr().out == "hello\n"
    assert cli.main(["stop"]) == 0
    assert capsys.readouterr().out == "no lab is running\n"
    assert cli.main(["stop", "never-was"]) == 1
    assert "no-such-lab" in capsys.readouterr().err
    assert cli.main(["clean"]) == 1, "it asks, and nobody is there to answer"
    mine = paths.work() / "mine.py"
    mine.write_text("mine")
    assert cli.main(["clean", "--yes"]) == 0
    assert not run.path.exists()
    assert mine.exists()


def test_a_port_that_is_taken_names_its_holder():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(jupyter.JupyterPortTaken) as caught:
            jupyter.chosen_port(port)
    assert "pid" in caught.value.found
    assert "leave --port out" in caught.value.fix


def test_a_lesson_is_found_by_number_name_or_progress():
    assert jupyter.chosen_lesson(None).stem == "00-start-here"
    assert jupyter.chosen_lesson("3").stem.startswith("03-")
    assert jupyter.chosen_lesson("start-here").stem == "00-start-here"
    with pytest.raises(jupyter.NoSuchLesson) as caught:
        jupyter.chosen_lesson("99")
    assert "00-start-here" in caught.value.found


def test_a_full_disk_is_told_as_such(monkeypatch, tmp_path):
    def full(folder: Path, console: Console) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.delenv("LABKIT_DAPR_BIN", raising=False)
    monkeypatch.setattr(released, "fetch", full)
    with pytest.raises(ensured.DiskFull) as caught:
        ensured.ensure()
    assert "LABKIT_CACHE" in caught.value.fix
    assert list((tmp_path / "cache" / "runtime").glob("new-*")) == []


def test_the_doctor_names_what_is_wrong_and_what_fixes_it(monkeypatch, capsys):
    doctor = importlib.import_module("labkit.doctor")  # the package exports a function of the name
    monkeypatch.setattr(versions, "PYTHON_SDK", "9.9.9")
    assert "9.9.9" in doctor.sdk_pair().problem
    monkeypatch.setattr(doctor, "NEEDED_GB", 1e9)
    assert doctor.disk_space().fix == "./lab clean"
    monkeypatch.setattr(doctor, "NEEDED_MEMORY_GB", 1e9)
    assert doctor.memory().problem
    monkeypatch.setattr(versions, "MIN_PYTHON", (9, 9))
    assert doctor.python_version().problem
    missing = LabError("not here", asked="daprd", found="nothing", look_at="./lab", fix="setup")
    monkeypatch.setattr(doctor, "binaries", raising(missing))
    assert doctor.dapr_runtime().problem == "not here"
    monkeypatch.setattr(
        doctor, "QUESTIONS", (lambda: doctor.Finding("x", "y", "broken", "fix it"),)
    )
    assert cli.main(["doctor"]) == 1
    assert "x: broken\n  fix  fix it" in capsys.readouterr().out


def test_the_doctor_looks_at_disk_ports_redis_and_evidence(monkeypatch, tmp_path):
    doctor = importlib.import_module("labkit.doctor")
    assert doctor.state_folder().problem is None
    assert doctor.free_ports().problem is None
    assert doctor.evidence().problem is None
    progress.file().write_text("torn {\n")
    assert "cannot be read and are skipped: 1" in doctor.evidence().evidence
    progress.file().unlink()
    progress.file().mkdir()
    assert doctor.evidence().problem
    progress.file().rmdir()
    monkeypatch.setattr(doctor.ports, "free_blocks", lambda: 0)
    assert doctor.free_ports().fix == "./lab stop"
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(labkit_redis, "find_spec", lambda name: None)
    assert "brew install redis" in doctor.redis().fix
    (paths.state() / "doctor.sqlite").mkdir()
    assert "IsADirectoryError" in doctor.state_folder().problem
    (paths.state() / "doctor.sqlite").rmdir()


def test_fix_ends_what_a_dead_lab_left_and_nothing_else(monkeypatch, capsys):
    doctor = importlib.import_module("labkit.doctor")
    run = runs.create(Path("dapr.yaml"), None)
    held = runs.create(Path("dapr.yaml"), None)
    env = {**os.environ, "LABKIT_RUN": run.run_id}
    orphan = subprocess.Popen(["sleep", "60"], env=env, start_new_session=True)
    other = subprocess.Popen(["sleep", "60"], env={**env, "LABKIT_RUN": held.run_id})
    run.close()
    try:
        monkeypatch.setattr(doctor, "QUESTIONS", (doctor.left_behind,))
        assert cli.main(["doctor"]) == 1
        assert "1 process of labs that have ended" in capsys.readouterr().out
        assert cli.main(["doctor", "--fix"]) == 0
        assert orphan.wait(5) != 0
        assert other.poll() is None, "a lab that is held lives on"
    finally:
        for process in (orphan, other):
            process.kill()
            process.wait()
        held.close()


def test_a_machine_without_a_browser_gets_the_command_that_needs_none(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(suite.NoBrowser) as caught:
        suite._require_browser()
    assert "./lab test --fast" in caught.value.fix


def test_long_steps_tell_the_time_and_how_far_they_are(capsys):
    console = Console()
    console.line("begun")
    for done in range(5):
        console.progress("file", done, 4)
    told = capsys.readouterr().err
    assert "s] begun" in told
    assert "file: 100%" in told


def test_a_reader_that_is_gone_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "labkit.cli", "status"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, timeout=60)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")
