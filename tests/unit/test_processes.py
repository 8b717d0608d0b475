"""Supervised processes: how they end is known, and nothing survives the kernel."""

from __future__ import annotations

import errno
import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from labkit.host.hosterrors import DiskFull, LimitReached
from labkit.processes import lifeline
from labkit.processes.supervisor import ProcessEnded, ProgramMissing, StillThere, Supervisor, stop
from labkit.waiting import wait_until

STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True)\n"
SLEEP = "import time; print('up', flush=True)\nwhile True: time.sleep(60)"


@pytest.fixture
def supervisor():
    own = Supervisor("test-" + secrets.token_hex(4), [])
    yield own
    own.close()
    assert lifeline.marked(own.run_id) == []


def _start(supervisor: Supervisor, code: str, folder: Path, name: str = "child"):
    argv = [sys.executable, "-c", code]
    return supervisor.start(name, argv, dict(os.environ), folder, folder / f"{name}.log")


def _is_up(process) -> bool:
    return "up" in process.tail()


def test_the_end_of_a_process_is_told_in_words(supervisor, tmp_path):
    process = _start(supervisor, "print('bye'); raise SystemExit(3)", tmp_path)
    wait_until(lambda: not process.is_alive)
    wait_until(lambda: process.ended_at)
    assert "exit code 3" in process.ending()
    with pytest.raises(ProcessEnded) as caught:
        process.require_alive("start", "fix it")
    assert "bye" in caught.value.found


def test_a_kill_is_told_as_a_signal(supervisor, tmp_path):
    process = _start(supervisor, SLEEP, tmp_path)
    assert process.ending() == "running"
    process.kill()
    assert "SIGKILL" in process.ending()


def test_a_process_that_ignores_term_is_killed_after_the_grace_time(supervisor, tmp_path):
    process = _start(supervisor, STUBBORN + SLEEP, tmp_path)
    wait_until(lambda: _is_up(process))
    stop([process], within=0.2)
    assert not process.is_alive


def test_the_stop_button_does_not_reach_the_processes(supervisor, tmp_path):
    process = _start(supervisor, SLEEP, tmp_path)
    assert os.getpgid(process.pid) == process.pid != os.getpgid(0)


def test_a_missing_program_is_an_error_that_names_it(supervisor, tmp_path):
    with pytest.raises(ProgramMissing) as caught:
        supervisor.start("x", ["no-such-program"], dict(os.environ), tmp_path, tmp_path / "x.log")
    assert "no-such-program" in str(caught.value)


def test_a_missing_folder_is_an_error_that_names_it(supervisor, tmp_path):
    with pytest.raises(ProgramMissing) as caught:
        supervisor.start("x", ["true"], dict(os.environ), tmp_path / "gone", tmp_path / "x.log")
    assert "gone" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\0" * 99], ids=["empty", "garbage"])
def test_a_damaged_program_of_the_lab_is_not_blamed_on_the_run_file(tmp_path, content):
    daprd = tmp_path / "daprd"
    daprd.write_bytes(content)
    daprd.chmod(0o755)
    fixes = {str(daprd): "the Dapr runtime is damaged: ./lab setup gets it again"}
    own = Supervisor("test-" + secrets.token_hex(4), [], fixes=fixes)
    try:
        with pytest.raises(ProgramMissing) as caught:
            own.start("sidecar", [str(daprd)], dict(os.environ), tmp_path, tmp_path / "x.log")
    finally:
        own.close()
    assert "Exec format error" in caught.value.found
    assert caught.value.fix == fixes[str(daprd)]
    assert "run file" not in str(caught.value)


def test_an_app_whose_environment_is_broken_is_sent_to_the_set_up(supervisor, tmp_path):
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch(0o755)
    with pytest.raises(ProgramMissing) as caught:
        supervisor.start(
            "ml worker", [".venv/bin/python", "main.py"], dict(os.environ), tmp_path,
            tmp_path / "x.log",
        )  # fmt: skip
    assert caught.value.fix == "./lab setup makes the environment of the app"


@pytest.mark.parametrize(
    ("number", "error"), [(errno.EAGAIN, LimitReached), (errno.ENOSPC, DiskFull)]
)
def test_what_the_system_refuses_is_not_blamed_on_the_run_file(
    supervisor, tmp_path, monkeypatch, number, error
):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("labkit.processes.supervisor.subprocess.Popen", refuse)
    with pytest.raises(error):
        supervisor.start("x", ["true"], dict(os.environ), tmp_path, tmp_path / "x.log")


def test_what_a_process_started_in_its_own_session_is_ended_too(tmp_path):
    own = Supervisor("test-" + secrets.token_hex(4), [])
    code = (
        "import subprocess, sys\n"
        f"subprocess.Popen([sys.executable, '-c', {SLEEP!r}], start_new_session=True)\n" + SLEEP
    )
    _start(own, code, tmp_path)
    wait_until(lambda: len(lifeline.marked(own.run_id)) == 2)
    own.close()
    assert lifeline.marked(own.run_id) == []


def test_a_process_that_is_just_starting_is_ended_too(tmp_path, monkeypatch):
    run_id = "test-" + secrets.token_hex(4)
    env = {**os.environ, lifeline.MARK: run_id}
    process = subprocess.Popen([sys.executable, "-c", SLEEP], env=env, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    marked, asked = lifeline.marked, iter([True])
    monkeypatch.setattr(lifeline, "marked", lambda id: [] if next(asked, False) else marked(id))
    assert lifeline.end(run_id) == []
    # KILL where the machine stood still for longer than the grace that TERM gives (seen).
    assert process.wait(5) in (-signal.SIGTERM, -signal.SIGKILL)


def test_a_killed_lifeline_is_replaced_and_told(supervisor, tmp_path):
    process = _start(supervisor, SLEEP, tmp_path)
    old = supervisor.lifeline_pid
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: supervisor.lifeline_pid != old)
    wait_until(lambda: supervisor.incidents)
    assert process.is_alive
    assert psutil.pid_exists(supervisor.lifeline_pid)


KERNEL = """
import os, sys
from pathlib import Path
from labkit.processes.supervisor import Supervisor
own = Supervisor(sys.argv[1], [])
here = Path(sys.argv[2])
for name in "ab":
    argv = [sys.executable, "-c", sys.argv[3]]
    own.start(name, argv, dict(os.environ), here, here / f"{name}.log")
print(own.lifeline_pid, flush=True)
input()
"""


@pytest.mark.parametrize("code", [SLEEP, STUBBORN + SLEEP], ids=["obedient", "stubborn"])
def test_a_killed_kernel_leaves_no_process(tmp_path, code):
    run_id = "test-" + secrets.token_hex(4)
    kernel = subprocess.Popen(
        [sys.executable, "-c", KERNEL, run_id, str(tmp_path), code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert kernel.stdout is not None
    helper = int(kernel.stdout.readline())
    # A process carries no mark for a moment while it starts.
    wait_until(lambda: len(lifeline.marked(run_id)) == 2)
    kernel.kill()
    kernel.communicate()
    wait_until(lambda: lifeline.marked(run_id) == [], within=6)
    wait_until(lambda: not psutil.pid_exists(helper), within=6)


def test_a_process_that_is_killed_and_stays_is_named(supervisor, tmp_path, monkeypatch):
    """The system may not let go of one that waits for a disk; seen where it took more than 5 s."""
    process = _start(supervisor, SLEEP, tmp_path)
    with monkeypatch.context() as changed:
        changed.setattr("labkit.processes.supervisor.STOP_SECONDS", 0.01)
        changed.setattr(process, "signal", lambda number: None)
        with pytest.raises(StillThere) as caught:
            process.kill()
    assert str(process.pid) in caught.value.asked
    process.kill()
    assert not process.is_alive


def test_one_that_stays_keeps_no_other_from_its_end(supervisor, tmp_path, monkeypatch):
    stays, other = (_start(supervisor, STUBBORN + SLEEP, tmp_path, n) for n in ("stays", "other"))
    wait_until(lambda: _is_up(stays) and _is_up(other))
    with monkeypatch.context() as changed:
        changed.setattr("labkit.processes.supervisor.STOP_SECONDS", 0.2)
        changed.setattr(stays, "signal", lambda number: None)
        with pytest.raises(StillThere, match="stays was killed"):
            stop([stays, other], within=0.1)
    wait_until(lambda: not other.is_alive)
    stays.kill()
