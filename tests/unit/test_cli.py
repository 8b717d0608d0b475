"""The command line: exit codes, JSON that is nothing but JSON, errors without tracebacks."""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from labkit import exercises, learn, machine, paths, versions
from labkit.cli import __main__ as cli
from labkit.cli import test as suite
from labkit.course import progress
from labkit.errors import LabError
from labkit.host.console import Console
from labkit.infrastructure import redis as labkit_redis
from labkit.jupyter import server as jupyter
from labkit.labs import runs
from labkit.runtime import ensured, released


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_STATE", str(tmp_path / "state"))


def raising(problem):
    def fail(*_, **__):
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
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: ./lab {verb}")
    assert "``" not in shown, "a terminal shows no RST"


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


def test_the_next_lesson_is_opened_or_the_one_that_is_named():
    assert jupyter.chosen(None).file.name == "00-start-here.ipynb"
    progress.note("lesson", "00-start-here", state="finished", lesson="00-start-here")
    assert jupyter.chosen(None).number == "01"
    assert jupyter.chosen("3").number == "03"
    assert jupyter.chosen("start-here").number == "00"
    assert jupyter.chosen("01.1").file.name == "01.1-move-the-mail.ipynb"
    with pytest.raises(learn.NoSuchNotebook) as caught:
        jupyter.chosen("99")
    assert "00-start-here" in caught.value.found


def test_an_exercise_is_named_by_number_wherever_by_id(capsys):
    assert cli.main(["check", "01.1", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["exercise"] == "move-the-mail"
    assert cli.main(["hint", "1.1"]) == 0
    capsys.readouterr()
    assert cli.main(["reset", "01.1"]) == 0
    assert "01.1 move-the-mail: the files are as at the start" in capsys.readouterr().out
    assert cli.main(["reset", "move-the-mail"]) == 0
    assert "learn/files/move-the-mail.kept-1" in capsys.readouterr().out
    (status,) = [s for s in exercises.overview() if s.id == "move-the-mail"]
    assert status.state == "begun", "the evidence carries the id, not the number"
    assert cli.main(["reset", "00", "--json"]) == 0
    assert "00-start-here.ipynb" in json.loads(capsys.readouterr().out)["reset"]
    assert cli.main(["reset", "99"]) == 1
    assert "no-such-notebook" in capsys.readouterr().err


def test_evidence_carries_the_id_whatever_name_was_used():
    exercises.diagnose("01.1", "the mail is sent by the wrong app")
    exercises.reset("1.1")
    assert {e.id for e in progress.entries()} == {"move-the-mail"}


def test_status_counts_in_words_and_shows_the_numbers(capsys):
    progress.note("prediction", "one", choice="x", lesson="00-start-here")
    progress.note("hint", "move-the-mail", level=1)
    assert cli.main(["status"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"00-start-here .* 1 prediction$", shown, re.M)
    assert re.search(r"  01.1  move-the-mail .* 1 hint$", shown, re.M)
    assert re.search(r"01-why.* 0 predictions$", shown, re.M)


def test_next_names_an_exercise_by_the_command_that_opens_it(capsys):
    progress.note("lesson", "01-why-multi-app-workflows", state="finished")
    assert cli.main(["next"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "00-start-here: ./lab start 00",
        "to practise: 01.1 move-the-mail: ./lab start 01.1",
    ]


def test_evidence_survives_a_renumbering():
    slug = progress.syllabus()[-1]["slug"]
    earlier = f"99{slug[2:]}"
    progress.note("prediction", "one", choice="x", lesson=earlier)
    progress.note("lesson", earlier, state="finished", lesson=earlier)
    (status,) = [s for s in progress.status() if s.slug == slug]
    assert (status.state, status.predictions) == ("finished", 1)


def test_the_folder_that_jupyterlab_shows_leads_to_all_that_notebooks_point_at():
    around = jupyter.root()
    assert around == paths.learn().parent
    for name in jupyter.LINKED:
        assert (around / name).samefile(paths.repo() / name)
    assert jupyter.root() == around, "and again"
    assert jupyter.address(paths.learn() / "00 ü.ipynb") == "learn/00%20%C3%BC.ipynb"


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
    monkeypatch.setattr(versions, "PYTHON_SDK", "9.9.9")
    assert "9.9.9" in machine.sdk_pair().problem
    monkeypatch.setattr(machine, "NEEDED_GB", 1e9)
    assert machine.disk_space().fix == "./lab clean"
    monkeypatch.setattr(machine, "NEEDED_MEMORY_GB", 1e9)
    assert machine.memory().problem
    monkeypatch.setattr(versions, "MIN_PYTHON", (9, 9))
    assert machine.python_version().problem
    missing = LabError("not here", asked="daprd", found="nothing", look_at="./lab", fix="setup")
    monkeypatch.setattr(machine, "binaries", raising(missing))
    assert machine.dapr_runtime().problem == "not here"
    monkeypatch.setattr(
        machine, "QUESTIONS", (lambda: machine.Finding("x", "y", "broken", "fix it"),)
    )
    assert cli.main(["doctor"]) == 1
    assert "x: broken\n  fix  fix it" in capsys.readouterr().out


def test_the_doctor_looks_at_disk_ports_redis_and_evidence(monkeypatch, tmp_path):
    assert machine.state_folder().problem is None
    assert machine.free_ports().problem is None
    assert machine.evidence().problem is None
    progress.file().write_text("torn {\n")
    assert "cannot be read and are skipped: 1" in machine.evidence().evidence
    progress.file().unlink()
    progress.file().mkdir()
    assert machine.evidence().problem
    progress.file().rmdir()
    monkeypatch.setattr(machine.ports, "free_blocks", lambda: 0)
    assert machine.free_ports().fix == "./lab stop"
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(labkit_redis, "find_spec", lambda name: None)
    assert "brew install redis" in machine.redis().fix
    (paths.state() / f"doctor-{os.getpid()}.sqlite").mkdir()
    assert "IsADirectoryError" in machine.state_folder().problem
    (paths.state() / f"doctor-{os.getpid()}.sqlite").rmdir()


def test_fix_ends_what_a_dead_lab_left_and_nothing_else(monkeypatch, capsys):
    run = runs.create(Path("dapr.yaml"), None)
    held = runs.create(Path("dapr.yaml"), None)
    env = {**os.environ, "LABKIT_RUN": run.run_id}
    orphan = subprocess.Popen(["sleep", "60"], env=env, start_new_session=True)
    other = subprocess.Popen(["sleep", "60"], env={**env, "LABKIT_RUN": held.run_id})
    run.close()
    try:
        monkeypatch.setattr(machine, "QUESTIONS", (machine.left_behind,))
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
