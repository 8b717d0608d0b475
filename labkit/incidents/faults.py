"""What can be wrong in an incident: the fault of every break lab, and some more.

A break lab is described by its folder in ``authoring/exercises``; what is more stands in
``authoring/incidents.yaml``, with the same keys. There is no second list by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from labkit import paths
from labkit.course import coursefiles
from labkit.exercises.catalogue import Edit, Exercise, exercise_from, in_order

USUAL: Mapping[str, Any] = {
    "lesson": "14",
    "number": 0,
    "minutes": 20,
    **dict.fromkeys(("objective", "misconception", "out_of_scope", "workflow", "file"), ""),
    "apps": (),
    "symptom": {},
    "alternative": {},
    "mutants": (),
    "hints": {},
}
"""What an entry of ``authoring/incidents.yaml`` need not say."""


@dataclass(frozen=True)
class Fault:
    """One thing that can be wrong.

    Attributes:
        exercise: holds its edits or its accident, and the repair.
        more: whether it is one of ``authoring/incidents.yaml``, which has no check of its own.
    """

    exercise: Exercise
    more: bool = False

    @property
    def id(self) -> str:
        """The ID of the break lab, or the key in ``authoring/incidents.yaml``."""
        return self.exercise.id

    @property
    def cause(self) -> str:
        """What is wrong, in a few words."""
        return str(self.exercise.atlas["cause"])

    @property
    def seen(self) -> str:
        """The symptom."""
        return str(self.exercise.atlas["seen"])

    @property
    def evidence(self) -> str:
        """What decides."""
        return str(self.exercise.atlas["evidence"])

    @property
    def messages(self) -> tuple[str, ...]:
        """Parts of messages that are the same in every run."""
        return tuple(map(str, self.exercise.atlas.get("messages", ())))

    @property
    def is_drawn(self) -> bool:
        """Whether it can be put on a system of incidents; ``incident: false`` in ``atlas``: no."""
        return bool(self.exercise.atlas.get("incident", True))

    @property
    def repair(self) -> tuple[Edit, ...]:
        """The edits that repair it in a system that may have more apps than its break lab."""
        other = self.exercise.atlas.get("repaired_by") == "alternative"
        return self.exercise.alternative if other else self.exercise.repair

    @property
    def places(self) -> frozenset[str]:
        """Where it is: files, or processes for an accident; each of them is a right answer.

        A mismatch has two sides. So a file in which the break lab's second right answer repairs it
        counts as well. An edit that the whole deployment has, too, is no fault.
        """
        own = self.exercise
        if own.accident:
            return frozenset(_left_ended(own.accident))
        edits = {e for e in own.fault if e not in own.healthy}
        return frozenset(e.file for e in (*edits, *own.repair, *own.alternative))


def faults() -> dict[str, Fault]:
    """Return all faults by their ID: break labs in the order of the lessons, then the others."""
    breaks = [Fault(e) for e in in_order() if e.kind == "break" and (e.fault or e.accident)]
    found = [*breaks, *(Fault(e, more=True) for e in _more())]
    return {f.id: f for f in found if f.exercise.atlas}


def causes() -> list[str]:
    """Return the causes that there are, by name, each once."""
    return sorted({f.cause for f in faults().values()}, key=str.lower)


def source() -> Path:
    """Return the file with the faults that no break lab has."""
    return paths.repo() / "authoring" / "incidents.yaml"


def _more() -> tuple[Exercise, ...]:
    return _read(source(), source().stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _read(file: Path, saved: int) -> tuple[Exercise, ...]:
    """Return what a file says; ``saved`` lets a changed file be read again."""
    return tuple(
        exercise_from(id, file.parent, {**USUAL, **entry})
        for id, entry in coursefiles.read(file).items()
    )


def _left_ended(steps: tuple[str, ...]) -> list[str]:
    """Return what an accident has ended or frozen and not started again."""
    started = {step.split()[1] for step in steps if step.startswith("start ")}
    hurt = [step.partition(" ")[2] for step in steps if not step.startswith("start ")]
    return [name for name in hurt if name.split()[0] not in started]
