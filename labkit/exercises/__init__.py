"""Exercises and break labs: a copy of a deployment to fix, checks that observe it, hints.

An exercise is a folder of ``authoring/exercises``: ``exercise.yaml`` (objective, deployment, fault,
states, hints), ``exercise.py`` (the notebook) and ``check.py`` (steps that observe).

What looks at a running lab is loaded when it is first used: a table of what somebody has done
needs no gRPC.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from labkit.exercises.catalogue import KINDS, Exercise, ids, in_order, load
from labkit.exercises.overview import next_exercise, overview

if TYPE_CHECKING:
    from labkit.exercises.accidents import accident
    from labkit.exercises.checking import check
    from labkit.exercises.deployment import apply, begin, reset
    from labkit.exercises.hinting import diagnose, hint

__all__ = [
    "KINDS",
    "Exercise",
    "accident",
    "apply",
    "begin",
    "check",
    "diagnose",
    "hint",
    "ids",
    "in_order",
    "load",
    "next_exercise",
    "overview",
    "reset",
]
_LATER = {
    "accidents": ("accident",),
    "checking": ("check",),
    "deployment": ("apply", "begin", "reset"),
    "hinting": ("diagnose", "hint"),
}


def __getattr__(name: str) -> Any:
    for module, names in _LATER.items():
        if name in names:
            return getattr(import_module(f"labkit.exercises.{module}"), name)
    raise AttributeError(f"module 'labkit.exercises' has no attribute {name!r}")
