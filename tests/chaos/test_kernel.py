"""The kernel dies, or is interrupted: nothing is left, nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from labkit.processes import lifeline, ports
from labkit.waiting import poll, wait_until

UP = """
from labkit import Lab
lab = Lab({path!r}{more})
lab.up(announce=False)
"""
SCHEDULE = """
client = lab.client("caller")
client.schedule_new_workflow({name!r}, input={input!r}, instance_id={id!r})
"""
FACTS = """
print(lab.folder)
print([p for a in lab.started_apps() for p in (a.ports.http, a.ports.grpc, a.ports.internal)])
"""


def _begin(kernel, small: Path, more: str = "") -> tuple[Path, list[int]]:
    said = kernel.run(UP.format(path=str(small), more=more))
    assert not any(word in said for word in ("Traceback", "look at")), said
    folder, used = kernel.run(FACTS).split("\n", 1)
    return Path(folder), [int(p) for p in used.strip(" []\n").split(",")]


def _all_gone(run_id: str) -> bool:
    return poll(lambda: not lifeline.marked(run_id), within=5, grows=True)[1]


def test_a_killed_kernel_leaves_no_process_and_no_port_and_whole_stores(kernel, small):
    one = kernel()
    folder, used = _begin(one, small)
    assert len(lifeline.marked(folder.name)) >= 7, "all of it was running"
    os.kill(one.pid(), signal.SIGKILL)
    assert _all_gone(folder.name)
    assert all(poll(lambda p=p: ports.is_free(p), within=1, grows=True)[1] for p in used)
    with sqlite3.connect(folder / "statestore.sqlite") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_when_everything_was_killed_the_next_kernel_finishes_the_workflow(kernel, small, tmp_path):
    gate, one = tmp_path / "gate", kernel()
    folder, _ = _begin(one, small)
    one.run(SCHEDULE.format(name="call", input={"gate": str(gate)}, id="durable"))
    notes = folder / "ledgers" / "target.txt"
    wait_until(lambda: notes.exists() and notes.read_text() == "start\n", usual=10)
    os.kill(one.pid(), signal.SIGKILL)
    assert _all_gone(folder.name)
    gate.touch()
    two = kernel()
    again, _ = _begin(two, small, ", resume=True")
    assert again == folder
    assert "COMPLETED" in two.run("print(lab.run('durable').wait().status)")
    assert notes.read_text() == "start\nstart\nend\n", "the cut-off activity ran a second time"


def test_kernel_and_lifeline_killed_at_once_are_cleaned_up_by_the_next_lab(kernel, small):
    one = kernel()
    folder, _ = _begin(one, small)
    line = int(one.run("print(lab.lifeline_pid)"))
    pid = one.pid()
    os.kill(pid, signal.SIGSTOP)  # or it would start another lifeline
    os.kill(line, signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    assert lifeline.marked(folder.name) != [], "nobody was there to end them"
    first = json.loads((folder / "run.json").read_text())["first_port"]
    with closing(ports.reserve(prefer=first)) as other:
        assert other.first != first, "what is left still holds its ports"
    _begin(kernel(), small)
    assert _all_gone(folder.name)


def test_the_stop_button_ends_the_cell_and_leaves_the_lab_alive(kernel, small, tmp_path):
    one = kernel()
    _begin(one, small)
    one.run(SCHEDULE.format(name="call", input={"gate": str(tmp_path / "gate")}, id="long"))
    one.begin("open('waiting', 'w').close(); lab.run('long').wait(60)")
    wait_until(lambda: (tmp_path / "waiting").exists(), usual=10)
    one.interrupt()
    assert "RUNNING" in one.run("print(lab.run('long').status)")
    assert "ended" not in one.run("print(lab.status())")
    (tmp_path / "gate").touch()
    assert "COMPLETED" in one.run("print(lab.run('long').wait().status)")


@pytest.mark.parametrize(
    "call",
    [
        "lab.client('caller').wait_for_workflow_completion('long')",
        "lab.run('long').wait(600)",
        "lab.run('long').settle(600)",
        "wait_until(lambda: False, 600)",
        "time.sleep(600)",
    ],
)
def test_an_interrupt_ends_any_wait_with_one_line(kernel, small, tmp_path, call):
    one = kernel()
    _begin(one, small)
    one.run("import time; from labkit import wait_until")
    one.run(SCHEDULE.format(name="sleepy", input=1000, id="long"))
    one.begin(f"open('waiting', 'w').close()\n{call}")
    wait_until(lambda: (tmp_path / "waiting").exists(), usual=10)
    shown = one.interrupt()
    assert shown == f"Interrupted `{call}`. The lab and its workflows go on."
    assert "KeyboardInterrupt" in one.run("%tb"), "the traceback on demand"


def test_an_error_of_grpc_is_short_with_its_cause_first(kernel, small):
    one = kernel()
    _begin(one, small)
    one.run(SCHEDULE.format(name="sleepy", input=1000, id="long"))
    for cell, cause in {
        "client.schedule_new_workflow('sleepy', instance_id='long')": "already exists",
        "import dapr.ext.workflow as wf\n"
        "wf.DaprWorkflowClient(host='127.0.0.1', port='1').get_workflow_state('x')": "UNAVAILABLE",
        "lab.kill('caller', 'worker', announce=False)\n"
        "client.schedule_new_workflow('call', instance_id='n')": "no worker is connected to caller",
    }.items():
        shown = one.run(cell)
        assert cause in shown.splitlines()[0]
        assert len(shown.splitlines()) < 9
        assert "Traceback" not in shown
        assert "Traceback" in one.run("%tb")


def test_running_the_first_cell_twice_replaces_the_lab(kernel, small):
    one = kernel()
    first, _ = _begin(one, small)
    second, _ = _begin(one, small)
    assert first != second
    assert _all_gone(first.name)
    assert lifeline.marked(second.name) != []


@pytest.mark.parametrize(
    "mistake", ["Lab('nowhere/dapr.yaml')", "lab.up('tarjet')", "lab.run('x')"]
)
def test_a_mistake_shows_no_traceback(kernel, small, mistake):
    one = kernel()
    _begin(one, small)
    shown = one.run(mistake)
    assert "fix" in shown
    assert "Traceback" not in shown
    assert len(shown.splitlines()) < 12
