"""An accident happens step by step, and the journal says whether it did."""

from __future__ import annotations

import pytest

from labkit.exercises import accidents


class FakeLab:
    def __init__(self) -> None:
        self.done: list[tuple[str, ...]] = []

    def kill(self, *words: str, announce: bool) -> None:
        self.done.append(("kill", *words))

    def app(self, name: str):
        self.done.append(("app", name))
        return self

    def start(self) -> None:
        self.done.append(("start",))


def test_its_steps_happen_in_order(monkeypatch):
    lab = FakeLab()
    for step in ("kill placement", "kill target worker", "start target"):
        accidents.happen(step, lab)
    assert lab.done == [
        ("kill", "placement"),
        ("kill", "target", "worker"),
        ("app", "target"),
        ("start",),
    ]


@pytest.mark.parametrize("step", ["stop placement", "kill", "start a b"])
def test_a_step_that_there_is_not_is_named(step):
    with pytest.raises(accidents.WrongAccident, match="no step"):
        accidents.happen(step, FakeLab())
