"""What exercises there are, as their ``exercise.yaml`` describes them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from labkit import naming, paths, progress
from labkit.errors import ObservationError


class NoSuchExercise(ObservationError):
    """An exercise that was named does not exist."""

    code = "no-such-exercise"


@dataclass(frozen=True)
class Edit:
    """One change of a file: ``find`` (exactly once) becomes ``put``; without ``find`` all of it."""

    file: str
    put: str
    find: str | None = None


@dataclass(frozen=True)
class Mutant:
    """A wrong repair: what it changes, the step that must stop it, words of the observation."""

    name: str
    edits: tuple[Edit, ...]
    step: str
    words: str


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    Attributes:
        kind: "break": a fault is found and fixed; "build": something is added or changed.
        number: its place among the exercises of its lesson, from 1.
        apps: services of the course that are copied.
        components: the set of ``components/`` that is copied.
        healthy: what makes the copy whole, where the services alone are not.
        fault: what is broken, or still missing, in the copy when the learner gets it.
        symptom: step and words by which that shows.
        hints: step id to three levels.
    """

    id: str
    kind: str
    lesson: str
    number: int
    title: str
    objective: str
    minutes: int
    misconception: str
    out_of_scope: str
    folder: Path
    apps: tuple[str, ...]
    components: str
    env: Mapping[str, str]
    healthy: tuple[Edit, ...]
    fault: tuple[Edit, ...]
    symptom: Mapping[str, str]
    repair: tuple[Edit, ...]
    alternative: tuple[Edit, ...]
    mutants: tuple[Mutant, ...]
    hints: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Lesson and place in it, e.g. ``06.3``."""
        return f"{self.lesson}.{self.number}"

    @property
    def notebook(self) -> Path:
        """The learner's notebook, e.g. ``learn/06.3-nobody-answers.ipynb``."""
        return paths.learn() / f"{self.label}-{self.id}.ipynb"

    @property
    def work(self) -> Path:
        """The folder of the learner's copy."""
        return paths.work() / self.id

    @property
    def run_file(self) -> Path:
        """The run file of the learner's copy."""
        return self.work / "dapr.yaml"


def ids() -> list[str]:
    """Return the ids of all exercises, sorted by name."""
    return sorted(p.parent.name for p in _root().glob("*/exercise.yaml"))


def in_order() -> list[Exercise]:
    """Return all exercises, lesson by lesson."""
    return sorted(map(_read, ids()), key=lambda e: (e.lesson, e.number))


def load(name: str) -> Exercise:
    """Return an exercise by its id, its number (``06.3``, ``6.3``) or the name of its notebook.

    Raises:
        NoSuchExercise: with the nearest id.
    """
    number, id = naming.split(name)
    if id in ids():
        return _read(id)
    found = next((e for e in in_order() if e.label == number and not id), None)
    if found is None:
        raise _unknown(name)
    return found


def _read(id: str) -> Exercise:
    file = _root() / id / "exercise.yaml"
    return _exercise(id, file.parent, yaml.safe_load(file.read_text("utf-8")))


def _unknown(name: str) -> NoSuchExercise:
    known = {e.label: e.id for e in in_order()}
    if lesson := progress.lesson_named(name):
        known = {n: id for n, id in known.items() if n.startswith(lesson[:2])}
        return _is_lesson(name, lesson, known)
    near = difflib.get_close_matches(name, [*known.values(), *known], 1, 0.3)
    return NoSuchExercise(
        f"there is no exercise {name!r}",
        asked=f"exercise {name}",
        found=f"{len(known)} exercises: {', '.join(f'{n} {id}' for n, id in known.items())}",
        look_at="exercises/README.md",
        fix=f"use {near[0]}" if near else "use one of these, by number or id",
    )


def _is_lesson(name: str, lesson: str, practice: Mapping[str, str]) -> NoSuchExercise:
    return NoSuchExercise(
        f"{name} is a lesson, not an exercise",
        asked=f"exercise {name}",
        found=f"lesson {lesson}; its exercises: "
        + (", ".join(f"{n} {id}" for n, id in practice.items()) or "none"),
        look_at="exercises/README.md",
        fix=f"name one of these; to start the lesson over: ./lab reset {lesson[:2]}",
    )


def _exercise(id: str, folder: Path, told: Mapping[str, Any]) -> Exercise:
    return Exercise(
        id=id,
        kind=told.get("kind", "break"),
        lesson=str(told["lesson"]),
        number=int(told["number"]),
        title=told["title"],
        objective=told["objective"],
        minutes=int(told["minutes"]),
        misconception=told["misconception"],
        out_of_scope=told["out_of_scope"],
        folder=folder,
        apps=tuple(told["apps"]),
        components=told.get("components", "default"),
        env={k: str(v) for k, v in (told.get("env") or {}).items()},
        healthy=_edits(told.get("healthy", [])),
        fault=_edits(told["fault"]),
        symptom=told["symptom"],
        repair=_edits(told["repair"]),
        alternative=_edits(told["alternative"]),
        mutants=tuple(
            Mutant(m["name"], _edits(m["edits"]), m["step"], m["words"]) for m in told["mutants"]
        ),
        hints={step: tuple(levels) for step, levels in told["hints"].items()},
    )


def _edits(told: list[Mapping[str, str]]) -> tuple[Edit, ...]:
    return tuple(Edit(e["file"], e["put"], e.get("find")) for e in told)


def _root() -> Path:
    return paths.repo() / "authoring" / "exercises"
