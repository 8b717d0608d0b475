"""Whether a process computes, waits for a core, or is at rest."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace as Fake

import pytest

from labkit import waiting
from labkit.labs import readiness
from labkit.processes import movement
from labkit.processes.movement import Movement
from labkit.waiting import wait_until


@pytest.fixture
def clock(monkeypatch):
    """Two looks, two seconds apart, at a process that is ``spent`` between them."""
    now = Fake(at=100.0, spent={1: (5.0, 7.0)})
    monkeypatch.setattr(movement.time, "monotonic", lambda: now.at)
    monkeypatch.setattr(movement, "spent", lambda pid: now.spent.get(pid, (0.0, 0.0)))
    return now


@pytest.mark.parametrize(
    ("worked", "waited", "moves", "starved"),
    [(0.05, 0.0, False, False), (1.0, 0.0, True, False), (0.2, 1.7, True, True)],
    ids=["at rest", "computing", "waiting for a core"],
)
def test_a_process_moves_when_it_has_a_core_or_wants_one(clock, worked, waited, moves, starved):
    seen = Movement()
    assert seen.goes_on([1]), "nobody is said to be at rest after one look"
    clock.at += 2
    clock.spent[1] = (5.0 + worked, 7.0 + waited)
    assert seen.goes_on([1]) is moves
    assert seen.is_starved is starved


def test_the_most_active_process_counts_and_a_new_one_is_looked_at_first(clock):
    seen = Movement()
    seen.goes_on([1, 2])
    clock.at += 2
    clock.spent = {1: (5.0, 7.0), 2: (1.0, 0.0), 3: (99.0, 0.0)}
    assert seen.goes_on([1, 2, 3])
    clock.at += 2
    assert not seen.goes_on([1, 2, 3])


def test_real_processes_are_told_apart():
    code = "import signal, time\nprint(flush=True)\n{}"
    texts = {"rest": "signal.pause()", "work": "while True: pass"}
    children = {
        k: subprocess.Popen(
            [sys.executable, "-c", code.format(text)], stdout=subprocess.PIPE, text=True
        )
        for k, text in texts.items()
    }
    try:
        for child in children.values():
            child.stdout.readline()
        rest, work = Movement(), Movement()
        rest.goes_on([children["rest"].pid])
        work.goes_on([children["work"].pid])
        wait_until(lambda: not rest.goes_on([children["rest"].pid]), usual=60)
        assert work.goes_on([children["work"].pid])
        assert work.shares is None or max(work.shares) >= movement.MOVES
    finally:
        for child in children.values():
            child.kill()
            child.communicate()
    assert movement.spent(children["rest"].pid) == (0.0, 0.0), "one that is gone"
    assert movement.spent(os.getpid())[0] > 0


# --- what readiness makes of it ------------------------------------------------------------------


class App:
    """An app whose worker never comes."""

    name = app_id = "web"
    has_service = True

    def __init__(self, tmp_path):
        self.shared = Fake(folder=tmp_path, token="")

    def running_or_ended(self):
        return []

    def is_healthy(self):
        return True

    def uncertified(self):
        return None

    def connected_workers(self):
        return 0

    def process(self, part):
        return None


class Mover:
    """What moves, for so many seconds after the deadline."""

    def __init__(self, clock, until, starved):
        self.clock, self.until, self.is_starved = clock, until, starved
        self.most = movement.STARVED if starved else movement.WORKING

    def goes_on(self, pids):
        return self.clock.at < self.until


@pytest.mark.parametrize(
    ("until", "starved", "error", "after"),
    [
        (0, False, readiness.AppWithoutWorker, 30),
        (80, False, readiness.AppWithoutWorker, 80),
        (1000, False, readiness.AppWithoutWorker, 120),
        (1000, True, readiness.MachineBusy, 450),
    ],
    ids=["at rest", "moves for a while", "computes for ever", "gets no core"],
)
def test_a_wait_goes_on_while_something_moves_and_a_busy_machine_is_named(
    monkeypatch, tmp_path, until, starved, error, after
):
    clock = Fake(at=0.0)
    monkeypatch.setattr(readiness.time, "monotonic", lambda: clock.at)
    monkeypatch.setattr(readiness.time, "sleep", lambda s: setattr(clock, "at", clock.at + 1))
    monkeypatch.setattr(readiness, "patience", lambda: 1.0)
    monkeypatch.setattr(readiness, "_is_ready", lambda app, late: False)
    monkeypatch.setattr(readiness, "Movement", lambda: Mover(clock, until, starved))
    control = Fake(processes={}, is_ready=lambda: True, starts_again=lambda: False)
    with pytest.raises(error) as caught:
        readiness.wait(control, [], [App(tmp_path)], 30)
    assert abs(clock.at - after) <= 2
    busy = "this machine is too busy to start web" in caught.value.title
    assert busy is starved
    assert ("WorkflowRuntime().start()" in caught.value.fix) is not starved


def test_a_busy_machine_is_said_in_numbers_and_a_calm_one_is_not_spoken_of(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(waiting.HERE, "factor", lambda: 1.0)
    monkeypatch.setattr(waiting, "_runnable", lambda: 24.0)
    assert waiting.busy() == "this machine is busy: 24 programs want to run on 2 cores"
    monkeypatch.setattr(waiting, "_runnable", lambda: 2.0)
    assert waiting.busy() == ""
