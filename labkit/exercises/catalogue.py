"""What exercises there are, as their ``exercise.yaml`` describes them."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from labkit import paths
from labkit.course import coursefiles, naming, progress
from labkit.errors import ObservationError

MANIFESTS = "manifests"
"""The folder of an exercise, and of its copy, that deploys its apps as Kubernetes manifests do."""
KINDS = {"build": "Exercise", "break": "Break lab"}


class NoSuchExercise(ObservationError):
    """An exercise that was named does not exist."""

    code = "no-such-exercise"


@dataclass(frozen=True)
class Edit:
    """One change of a file: ``find`` (exactly once) becomes ``put``; without ``find`` all of it.

    A line ``...`` in ``find`` stands for as few lines as possible.
    """

    file: str
    put: str
    find: str | None = None


@dataclass(frozen=True)
class Mutant:
    """A wrong answer: its edits on the learner's copy, the step that stops it, words it shows.

    In ``exercise.yaml`` its edits are written as the difference from the repair, or from the
    fault with ``from: fault``. After an accident an answer is an action: code that uses ``lab``.
    """

    name: str
    edits: tuple[Edit, ...]
    step: str
    words: str
    action: str = ""


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    Attributes:
        kind: "break": a fault is found and fixed; "build": something is added or changed.
        number: its place among the exercises of its lesson, from 1.
        workflow: the name of the workflow that its scenario schedules.
        file: the file that most of its edits are in; what a learner changes first.
        services: the folder below ``services/`` whose run file names the apps; "" for itself.
        host: the app whose sidecar is asked to start the workflow.
        in_flight: whether instances are under way while the code changes.
        apps: services of the course that are copied.
        components: the set of ``components/`` that is copied.
        replicas: how many the lab runs of an app ID.
        healthy: what makes the copy whole, where the services alone are not.
        fault: what is broken, or still missing, in the copy when the learner gets it.
        symptom: step and words by which that shows.
        hints: step id to three levels.
        accident: what ends while the scenario runs; see :mod:`labkit.exercises.accidents`.
        action, another_action: two repairs of an accident, as code that uses ``lab``.
        atlas: of a break lab, for incidents and the atlas: its ``cause`` in a few words, what is
            ``seen``, the ``evidence`` that decides, and ``messages`` as the runtime words them;
            ``repaired_by: alternative`` where an incident needs the second repair, and
            ``incident: false`` where its fault fits no system of incidents.
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
    workflow: str
    file: str
    services: str
    host: str
    in_flight: bool
    apps: tuple[str, ...]
    components: str
    env: Mapping[str, str]
    replicas: Mapping[str, int]
    healthy: tuple[Edit, ...]
    fault: tuple[Edit, ...]
    symptom: Mapping[str, str]
    repair: tuple[Edit, ...]
    alternative: tuple[Edit, ...]
    mutants: tuple[Mutant, ...]
    hints: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    accident: tuple[str, ...] = ()
    action: str = ""
    another_action: str = ""
    atlas: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Lesson and place in it, e.g. ``06.3``."""
        return f"{self.lesson}.{self.number}"

    @property
    def notebook(self) -> Path:
        """The learner's notebook, e.g. ``learn/06.3-nobody-answers.ipynb``."""
        return paths.learn() / f"{self.label}-{self.id}.ipynb"

    @property
    def lab_call(self) -> str:
        """How the notebook makes its lab."""
        if self.manifests:
            return "Lab.from_manifests(manifests)"
        more = f", replicas={json.dumps(dict(self.replicas))}" if self.replicas else ""
        return f"Lab(run_file{more})"

    @property
    def work(self) -> Path:
        """The folder of the learner's copy."""
        return paths.work() / self.id

    @property
    def manifests(self) -> Path | None:
        """The Kubernetes manifests that deploy its apps in place of a run file; None for none."""
        folder = self.folder / MANIFESTS
        return folder if folder.is_dir() else None

    @property
    def run_file(self) -> Path:
        """What deploys the learner's copy: its run file, or its folder of manifests."""
        return self.work / (MANIFESTS if self.manifests else "dapr.yaml")

    def files(self) -> list[str]:
        """Return the files of the copy that a learner may want to open, relative to ``work``."""
        if self.manifests:
            found = [f"{MANIFESTS}/{f.name}" for f in sorted(self.manifests.glob("*.yaml"))]
        else:
            components = sorted((paths.repo() / "components" / self.components).glob("*.yaml"))
            found = ["dapr.yaml", *(f"components/{c.name}" for c in components)]
        found += [f"{app_id}/main.py" for app_id in self.apps]
        return list(dict.fromkeys([*found, *(e.file for e in self.fault)]))


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
    name = str(name)  # a number without quotes is one
    number, id = naming.split(name)
    if id in ids():
        return _read(id)
    found = next((e for e in in_order() if e.label == number and not id), None)
    if found is None:
        raise _unknown(name)
    return found


def _read(id: str) -> Exercise:
    file = _root() / id / "exercise.yaml"
    return _parsed(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _parsed(file: Path, saved: int) -> Exercise:
    """Return what a file says; ``saved`` lets a changed file be read again."""
    return exercise_from(file.parent.name, file.parent, coursefiles.read(file))


def _unknown(name: str) -> NoSuchExercise:
    known = {e.label: e.id for e in in_order()}
    if lesson := progress.lesson_named(name):
        known = {n: id for n, id in known.items() if n.startswith(lesson[:2])}
        return _is_lesson(name, lesson, known)
    number = naming.split(name).number
    beside = [n for n in known if number and n.partition(".")[0] == number.partition(".")[0]]
    near = beside or difflib.get_close_matches(name, known.values(), 3, 0.5)
    named = {n: id for n, id in known.items() if n in near or id in near}
    said = ", ".join(f"{n} {id}" for n, id in named.items())
    which = f"those of lesson {beside[0].partition('.')[0]}" if beside else "the nearest"
    return NoSuchExercise(
        f"there is no exercise {name!r}" if name else "no exercise is named",
        asked=f"exercise {name}" if name else "an exercise, without an id or a number",
        found=f"{len(known)} exercises" + (f"; {which}: {said}" if said else ""),
        look_at="exercises/README.md",
        fix=f"use {near[0]}" if near and len(beside) <= 1 else "use one by number or id",
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


def exercise_from(id: str, folder: Path, source: Mapping[str, Any]) -> Exercise:
    """Return an exercise as an ``exercise.yaml`` describes it."""
    usual = source["file"]
    repair = edits_from(source.get("repair", []), usual)

    def variant(raw: Any) -> tuple[Edit, ...]:
        """Edits on the learner's copy: those of the repair come first, unless it says otherwise."""
        edits = edits_from(raw.get("edits", []), usual)
        return edits if raw.get("from") == "fault" else (*repair, *edits)

    return Exercise(
        id=id,
        kind=source.get("kind", "break"),
        lesson=str(source["lesson"]),
        number=int(source["number"]),
        title=source["title"],
        objective=source["objective"],
        minutes=int(source["minutes"]),
        misconception=source["misconception"],
        out_of_scope=source["out_of_scope"],
        folder=folder,
        workflow=source["workflow"],
        file=source["file"],
        services=source.get("services", ""),
        host=source.get("host", "task-orchestrator-service"),
        in_flight=bool(source.get("in_flight", False)),
        apps=tuple(source["apps"]),
        components=source.get("components", "default"),
        replicas=dict(source.get("replicas") or {}),
        env={k: str(v) for k, v in (source.get("env") or {}).items()},
        healthy=edits_from(source.get("healthy", []), usual),
        fault=edits_from(source.get("fault", []), usual),
        symptom=source["symptom"],
        repair=repair,
        alternative=variant(source["alternative"]),
        mutants=tuple(
            Mutant(m["name"], variant(m), m["step"], str(m["words"]), m.get("action", ""))
            for m in source["mutants"]
        ),
        hints={step: tuple(levels) for step, levels in source["hints"].items()},
        accident=tuple(source.get("accident", ())),
        action=source.get("action", ""),
        another_action=source["alternative"].get("action", ""),
        atlas=source.get("atlas") or {},
    )


def edits_from(raw: list[Mapping[str, str]], usual: str) -> tuple[Edit, ...]:
    """Return edits as a file of an exercise has them; ``usual`` is edited where none is named."""
    return tuple(Edit(e.get("file", usual), e["put"], e.get("find")) for e in raw)


def _root() -> Path:
    return paths.repo() / "authoring" / "exercises"
