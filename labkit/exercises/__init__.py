"""Exercises and break labs: a copy of a deployment to fix, checks that observe it, hints.

An exercise is a folder of ``authoring/exercises``: ``exercise.yaml`` (objective, deployment, fault,
states, hints), ``exercise.py`` (the notebook) and ``check.py`` (steps that observe).
"""

from labkit.exercises.accidents import accident
from labkit.exercises.catalogue import KINDS, Exercise, ids, in_order, load
from labkit.exercises.checking import check
from labkit.exercises.deployment import apply, begin, reset
from labkit.exercises.hinting import diagnose, hint
from labkit.exercises.overview import next_exercise, overview

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
