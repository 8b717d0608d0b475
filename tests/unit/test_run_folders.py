"""Run folders: who is alive is told by a lock, and what dead runs left is ended."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from labkit import paths
from labkit.labs import runs
from labkit.processes import lifeline
from labkit.waiting import wait_until

HOLDER = """
import os, subprocess, sys
from pathlib import Path
from labkit.labs import runs
from labkit.processes import lifeline
run = runs.create(Path(sys.argv[1]), None)
code = "import time\\nwhile True: time.sleep(60)"
subprocess.Popen([sys.executable, "-c", code], start_new_session=True,
                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                 env={**os.environ, lifeline.MARK: run.run_id})
print(run.run_id, flush=True)
input()
"""


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_STATE", str(tmp_path))


def _holder(run_file: str = "a.yaml") -> tuple[subprocess.Popen[str], str]:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER, run_file],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    return child, child.stdout.readline().strip()


def _info(run_id: str) -> runs.RunInfo:
    return next(r for r in runs.all_runs() if r.id == run_id)


def test_a_run_is_alive_while_its_folder_is_held():
    run = runs.create(Path("a.yaml"), None)
    assert _info(run.run_id).alive
    run.close()
    assert not _info(run.run_id).alive


def test_what_a_dead_run_left_behind_is_ended_by_the_next_one():
    child, run_id = _holder()
    wait_until(lambda: lifeline.marked(run_id))
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    assert lifeline.marked(run_id), "no lifeline in this test: the process is an orphan"
    runs.create(Path("b.yaml"), None).close()
    assert lifeline.marked(run_id) == []


def test_a_running_run_is_neither_swept_nor_resumed():
    child, run_id = _holder()
    wait_until(lambda: lifeline.marked(run_id))
    assert runs.resumable(Path("a.yaml"), None) is None
    assert lifeline.marked(run_id)
    runs.stop(_info(run_id))
    child.communicate("\n")


def test_the_newest_ended_run_of_the_same_run_file_is_resumed():
    for name in ("a.yaml", "b.yaml"):
        runs.create(Path(name), None).close()
    taken = runs.resumable(Path("a.yaml"), None)
    assert taken is not None
    assert taken.facts["run_file"] == "a.yaml"
    assert runs.resumable(Path("a.yaml"), None) is None, "held by now"
    taken.close()


def test_the_run_of_the_same_notebook_comes_first():
    mine = runs.create(Path("a.yaml"), "mine.ipynb")
    mine.close()
    runs.create(Path("a.yaml"), "other.ipynb").close()
    taken = runs.resumable(Path("a.yaml"), "mine.ipynb")
    assert taken is not None
    assert taken.run_id == mine.run_id
    taken.close()


def test_old_folders_are_removed_and_running_ones_kept():
    held = runs.create(Path("a.yaml"), None)
    for _ in range(runs.KEEP + 3):
        runs.create(Path("a.yaml"), None).close()
    kept = runs.all_runs()
    assert len([r for r in kept if not r.alive]) == runs.KEEP
    assert held.run_id in {r.id for r in kept}
    held.close()


def test_a_torn_file_does_not_hide_a_run():
    run = runs.create(Path("a.yaml"), None)
    (run.path / "run.json").write_text('{"id": ')
    assert _info(run.run_id).apps == {}
    run.close()


@pytest.mark.parametrize(
    "written",
    [
        b"[1, 2]",
        b"[" * 100_000,
        b"\xff\xfe",
        b"\0",
        b'{"created": "yesterday", "apps": 7, "kernel_pid": [], "token": 1, "run_file": {}}',
    ],
)
def test_a_file_that_is_not_as_we_write_it_does_not_hide_other_runs(written):
    odd, good = (runs.create(Path("a.yaml"), None) for _ in range(2))
    (odd.path / "run.json").write_bytes(written)
    (odd.path / "processes.jsonl").write_bytes(b"7\n[]\n{}\n" + written + b"\n")
    assert {r.id for r in runs.all_runs()} == {odd.run_id, good.run_id}
    assert _info(odd.run_id).apps == {}
    assert _info(odd.run_id).was_stopped is False
    odd.close()
    good.close()
    taken = runs.resumable(Path("a.yaml"), None)
    assert taken is not None
    assert taken.run_id == good.run_id
    taken.close()


def test_the_facts_of_a_run_are_for_this_user_only():
    run = runs.create(Path("a.yaml"), None)
    assert (run.path / "run.json").stat().st_mode & 0o077 == 0
    assert paths.runs() in run.path.parents
    run.close()


def test_no_room_is_told_before_the_scheduler_panics_and_the_newest_run_is_kept(monkeypatch):
    for _ in range(3):
        runs.create(Path("a.yaml"), None).close()
    newest = runs.all_runs()[-1].id
    usage = shutil.disk_usage(paths.state())._replace(free=52_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(runs.NoRoom, match="52 MB free"):
        runs.create(Path("a.yaml"), None)
    assert [r.id for r in runs.all_runs()] == [newest]


def test_runs_of_one_second_are_told_apart_by_when_they_were_made():
    for _ in range(8):
        runs.create(Path("a.yaml"), None).close()
    made = [float(r.facts["created"]) for r in runs.all_runs()]
    assert made == sorted(made)
    assert len(made) > 1
