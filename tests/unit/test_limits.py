"""Limits on open files and processes: asked before anything starts, named with what is needed."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from labkit import machine
from labkit.host import limits
from labkit.host.limits import LimitTooLow
from labkit.labs.lab import Lab

FILES, PROCESSES = resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC


def limited(monkeypatch, root: bool = False, **limit: int) -> None:
    """Let the system report these hard and soft limits, for a user or for the machine's root."""
    said = {"files": FILES, "processes": PROCESSES}
    found = {said[k]: (v, v) for k, v in limit.items()}
    free = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    monkeypatch.setattr(resource, "getrlimit", lambda kind: found.get(kind, free))
    monkeypatch.setattr(limits, "_is_real_root", lambda: root)
    monkeypatch.setattr(limits, "_threads", lambda: 40)
    monkeypatch.setattr(limits, "CGROUP", Path("/nonexistent"))


@pytest.mark.parametrize(
    ("limit", "found", "needed", "flag"),
    [
        ({"files": 64}, "open files: the limit is 64", "256 open files", "ulimit -n"),
        ({"processes": 60}, "the limit is 60, 40 in use", "150 processes", "ulimit -u"),
    ],
)
def test_a_lab_names_the_limit_and_what_it_needs_before_it_starts(
    monkeypatch, limit, found, needed, flag
):
    limited(monkeypatch, **limit)
    with pytest.raises(LimitTooLow) as caught:
        Lab()
    assert found in caught.value.found
    assert needed in caught.value.asked
    assert flag in caught.value.fix
    assert flag in caught.value.look_at


@pytest.mark.parametrize(
    ("limit", "question"),
    [({"files": 64}, machine.open_files), ({"processes": 60}, machine.processes)],
)
def test_the_doctor_asks_for_limits(monkeypatch, limit, question):
    limited(monkeypatch, **limit)
    assert "and a lab needs" in question().problem
    limited(monkeypatch)
    assert question().problem is None


def test_the_root_of_the_machine_has_no_limit_on_processes(monkeypatch):
    limited(monkeypatch, root=True, processes=60)
    assert machine.processes().problem is None
    assert machine.processes().evidence == "processes: no limit"


@pytest.mark.parametrize("layout", ["", "pids"], ids=["version 2", "version 1"])
def test_the_limit_of_a_container_is_named_as_such(monkeypatch, tmp_path, layout):
    limited(monkeypatch)
    monkeypatch.setattr(limits, "CGROUP", tmp_path)
    (tmp_path / layout).mkdir(exist_ok=True)
    (tmp_path / layout / "pids.current").write_text("20\n")
    (tmp_path / layout / "pids.max").write_text("max\n")
    assert machine.processes().problem is None
    (tmp_path / layout / "pids.max").write_text("100\n")
    finding = machine.processes()
    assert "the limit of this container is 100, 20 in use" in finding.problem
    assert "--pids-limit" in finding.fix


def test_the_memory_of_a_container_counts_and_what_files_take_of_it_is_free(monkeypatch, tmp_path):
    monkeypatch.setattr(limits, "CGROUP", tmp_path)
    (tmp_path / "memory.max").write_text("max\n")
    assert limits.free_memory() > 0
    (tmp_path / "memory.max").write_text("900000000\n")
    (tmp_path / "memory.current").write_text("800000000\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 300000000\n")
    assert limits.free_memory() == 400_000_000
    assert "0.4 GB free" in machine.memory().problem


def test_a_low_soft_limit_on_open_files_is_raised_and_not_reported():
    code = (
        "import resource as r; from labkit.host import limits\n"
        "r.setrlimit(r.RLIMIT_NOFILE, (64, r.getrlimit(r.RLIMIT_NOFILE)[1])); limits.require()\n"
        "print(r.getrlimit(r.RLIMIT_NOFILE)[0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert int(done.stdout) >= 256, done.stderr


def test_the_doctor_of_a_shell_with_a_low_limit_says_so():
    command = f"ulimit -n 64; exec {sys.executable} -m labkit.cli doctor --json"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=120)
    said = {f["what"]: f for f in json.loads(done.stdout)["findings"]}
    assert "the limit is 64" in said["limit on open files"]["problem"]
    assert done.returncode == 1
