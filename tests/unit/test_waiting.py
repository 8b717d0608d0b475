"""Waits have a deadline, and it is longer on a machine that is busy."""

from __future__ import annotations

import os

import pytest

from labkit import waiting


@pytest.fixture(autouse=True)
def as_fast_as_usual(monkeypatch):
    computes(monkeypatch, 1.0)


def computes(monkeypatch, factor):
    monkeypatch.setattr(waiting.HERE, "factor", lambda: factor)


@pytest.mark.parametrize(
    ("load", "runnable", "cores", "factor"),
    [
        (0.1, 1, 2, 1.0),
        (4.0, 1, 2, 2.0),
        (0.1, 25, 2, 12.0),
        (24.0, 25, 2, 12.0),
        (500.0, 500, 2, waiting.MOST_PATIENCE),
        (4.0, 5, 8, 1.0),
    ],
)
def test_patience_grows_with_the_runnable_processes_of_a_core(
    monkeypatch, tmp_path, load, runnable, cores, factor
):
    file = tmp_path / "loadavg"
    file.write_text(f"{load} {load} {load} {runnable}/400 123\n")
    monkeypatch.setattr(waiting, "_LOADAVG", str(file))
    monkeypatch.setattr(os, "getloadavg", lambda: (load, load, load))
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert waiting.patience() == factor


def test_where_there_is_no_proc_the_load_average_counts(monkeypatch, tmp_path):
    monkeypatch.setattr(waiting, "_LOADAVG", str(tmp_path / "none"))
    monkeypatch.setattr(os, "getloadavg", lambda: (6.0, 1.0, 1.0))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert waiting.patience() == 3.0


def with_load(monkeypatch, tmp_path, load):
    monkeypatch.setattr(waiting, "_LOADAVG", str(tmp_path / "none"))
    monkeypatch.setattr(os, "getloadavg", lambda: (load, load, load))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


def test_a_machine_whose_cores_others_take_unseen_is_given_time(monkeypatch, tmp_path):
    with_load(monkeypatch, tmp_path, 1.0)
    computes(monkeypatch, 7.2)
    assert waiting.patience() == 7.2
    assert waiting.busy() == "this machine is slow now: it computes 7 times as long as usual"
    computes(monkeypatch, 40.0)
    assert waiting.patience() == waiting.MOST_PATIENCE


def test_a_load_that_explains_it_is_named(monkeypatch, tmp_path):
    with_load(monkeypatch, tmp_path, 20.0)
    computes(monkeypatch, 7.2)
    assert waiting.patience() == 10.0
    assert waiting.busy() == "this machine is busy: 20 programs want to run on 2 cores"


def test_asking_takes_a_quarter_of_a_core_at_most():
    assert waiting.pause(0.001) == waiting.POLL_SECONDS
    assert waiting.pause(0.05) == pytest.approx(0.15)
    assert waiting.pause(0.001, every=0.5) == 0.5


class Clock:
    """A clock that only a sleep moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(waiting, "time", made)
    return made


def test_a_deadline_that_nobody_named_is_later_on_a_slow_machine(monkeypatch, clock):
    monkeypatch.setattr(waiting, "patience", lambda: 3.0)
    with pytest.raises(waiting.NotInTime, match="still waiting after 30 s"):
        waiting.wait_until(lambda: False)
    with pytest.raises(waiting.NotInTime, match="still waiting after 6 s"):
        waiting.wait_until(lambda: False, usual=2)
    with pytest.raises(waiting.NotInTime, match="still waiting after 2 s"):
        waiting.wait_until(lambda: False, 2)


def test_a_deadline_asks_seldom_until_it_is_about_to_pass(monkeypatch, clock):
    asked = []
    monkeypatch.setattr(waiting, "patience", lambda: asked.append(clock.now) or 2.0)
    deadline = waiting.Deadline(1.0)
    while deadline.left() > 0:
        clock.now += 0.01
    assert clock.now == pytest.approx(102, abs=0.02)
    assert len(asked) <= 13


def test_a_machine_that_turns_out_to_be_slow_is_given_time_until_the_end(monkeypatch, clock):
    """Most moments meet no pause: what the first of them says is no ground to give up."""
    found = iter([1.0] * 4)
    monkeypatch.setattr(waiting, "patience", lambda: next(found, 4.0))
    with pytest.raises(waiting.NotInTime, match="still waiting after 4 s"):
        waiting.wait_until(lambda: False, usual=1)
    assert clock.now == pytest.approx(104)
