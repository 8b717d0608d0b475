"""A machine that stands still again and again is seen by how long a small sum takes."""

from __future__ import annotations

import pytest

from labkit.host import slowness
from labkit.host.slowness import AT_FIRST, EVERY_SECONDS, USUAL_SECONDS, WINDOW_SECONDS, Slowness


class Clock:
    """A clock that goes on by what each sum takes; ``pauses`` come one after the other."""

    def __init__(self) -> None:
        self.now, self.pauses, self.sums = 1000.0, [], 0

    def monotonic(self) -> float:
        return self.now

    def sum(self, numbers) -> int:
        self.sums += 1
        self.now += USUAL_SECONDS + (self.pauses.pop(0) if self.pauses else 0)
        return 0


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(slowness.time, "monotonic", made.monotonic)
    monkeypatch.setattr(slowness, "sum", made.sum, raising=False)
    return made


def asked(slow, clock, times):
    """Ask so often, as often as it measures; return the last answer."""
    for _ in range(times):
        clock.now += EVERY_SECONDS + 0.01
        answer = slow.factor()
    return answer


def test_a_usual_machine_is_not_slow(clock):
    assert asked(Slowness(), clock, 50) == 1.0


def test_a_processor_that_is_older_is_not_slow(clock):
    clock.pauses = [0.9 * USUAL_SECONDS] * 100
    assert asked(Slowness(), clock, 50) == 1.0


def test_pauses_that_most_sums_do_not_meet_count(clock):
    """Twenty milliseconds of work, then two hundred of none: one sum of seven meets the pause."""
    clock.pauses = ([0.0] * 6 + [0.2]) * 20
    assert asked(Slowness(), clock, 70) == pytest.approx(10.5, abs=2)


def test_what_is_over_is_forgotten(clock):
    clock.pauses = [0.2] * 30
    slow = Slowness()
    assert asked(slow, clock, 20) > 50
    clock.now, clock.pauses = clock.now + WINDOW_SECONDS, []
    assert asked(slow, clock, 20) == 1.0


def test_a_sum_that_took_long_is_followed_by_a_long_rest(clock):
    """What a machine computes for this it cannot give to what is waited for."""
    slow = Slowness()
    slow.factor()
    clock.pauses = [0.1]
    assert asked(slow, clock, 1) > 1
    sums = clock.sums
    asked(slow, clock, 4)
    assert clock.sums == sums
    asked(slow, clock, 4)
    assert clock.sums > sums


def test_who_asks_often_measures_seldom(clock):
    slow = Slowness()
    for _ in range(500):
        slow.factor()
    assert clock.sums == AT_FIRST
    clock.now += EVERY_SECONDS + 0.01
    slow.factor()
    assert clock.sums == AT_FIRST + 1
