"""The learner's copy of a deployment: made once, broken once, theirs from then on."""

from __future__ import annotations

import difflib
import re
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from labkit.course import progress
from labkit.course.predictions import Line
from labkit.errors import AuthoringError
from labkit.exercises.catalogue import Edit, Exercise, load
from labkit.workfiles import copy_of_folders, copy_of_services, folder_of, set_aside, shown


class EditDoesNotFit(AuthoringError):
    """An edit of an exercise finds its text not exactly once."""

    code = "edit-does-not-fit"


def begin(id: str = "") -> Path:
    """Return what deploys the learner's copy of the services; makes the copy when it is missing.

    That is a run file or, in an exercise about Kubernetes, a folder of manifests.

    A copy that exists stays as it is, with all that was changed in it. When what deploys it is
    gone, that is put back, with whatever else it lacks.

    Raises:
        NoSuchExercise: no exercise has this id.
    """
    exercise = load(id)
    if exercise.run_file.exists():
        print(f'your copy is as you left it; to start over: reset("{exercise.id}")')
    elif back := _put_in_place(exercise):
        print(f"{back}; the rest of your copy is as you left it")
    else:
        print("your copy of the services is ready")
    return exercise.run_file


def _put_in_place(exercise: Exercise) -> str:
    """Make a copy beside its place and move it there whole; of one that is there what it lacks.

    Returns:
        What was put back into a copy that is there; "" when there was none.
    """
    made = replace(exercise, id=f".{exercise.id}")  # no exercise has such a name
    shutil.rmtree(made.work, ignore_errors=True)
    try:
        prepare(made, exercise.fault)
        if not exercise.work.exists():
            made.work.rename(exercise.work)
            return ""
        lacked = [p for p in made.work.iterdir() if not (exercise.work / p.name).exists()]
        for path in lacked:
            path.rename(exercise.work / path.name)
        return f"missing, and put back: {', '.join(sorted(p.name for p in lacked))}"
    finally:
        shutil.rmtree(made.work, ignore_errors=True)


def prepare(exercise: Exercise, edits: Iterable[Edit]) -> Path:
    """Copy the deployment of an exercise and edit the copy; return what deploys it."""
    if exercise.manifests:
        copy_of_folders(exercise.work, exercise.apps, exercise.services)
        shutil.copytree(exercise.manifests, exercise.run_file, dirs_exist_ok=True)
    else:
        copy_of_services(
            exercise.id,
            *exercise.apps,
            components=exercise.components,
            env=exercise.env,
            services=exercise.services,
        )
    edit(exercise.work, edits)
    return exercise.run_file


def edit(folder: Path, edits: Iterable[Edit]) -> str:
    """Edit files; return what changed as a unified diff.

    Raises:
        EditDoesNotFit: a text is not found, or more than once.
    """
    told = []
    for one in edits:
        file = folder / one.file
        before = file.read_text("utf-8") if file.exists() else ""
        after = one.put if one.find is None else edited(before, one, file)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(after, "utf-8")
        lines = difflib.unified_diff(
            before.splitlines(), after.splitlines(), one.file, one.file, lineterm="", n=1
        )
        told += [line for line in lines if not line.startswith("@@")]
    return "\n".join(told)


def code_after(exercise: Exercise, edits: Iterable[Edit]) -> dict[str, str]:
    """Return the Python files of a copy after edits, by path; no copy is made."""
    folders = {app_id: folder_of(app_id, exercise.services) for app_id in exercise.apps}
    texts = {f"{a}/main.py": (f / "main.py").read_text("utf-8") for a, f in folders.items()}
    for one in edits:
        if one.file.endswith(".py"):
            before = texts.get(one.file, "")
            texts[one.file] = one.put if one.find is None else edited(before, one, Path(one.file))
    return texts


def apply(id: str = "") -> None:
    """Repair the learner's copy as the solution does, and print what changed."""
    exercise = load(id)
    if all(_is_done(exercise.work, one) for one in exercise.repair):
        print("the files are as in the solution already")
    else:
        print(edit(exercise.work, exercise.repair))


def reset(id: str = "") -> Line:
    """Start the files of an exercise over; the ones that exist are kept as ``ID.kept-N``.

    Args:
        id: id or number of the exercise.

    Returns:
        What was done, in a line.

    Raises:
        NoSuchExercise: no exercise has this id or number.
    """
    exercise = load(id)
    kept = set_aside(exercise.work)
    prepare(exercise, exercise.fault)
    progress.note("reset", exercise.id, lesson=exercise.lesson)
    told = f"{exercise.label} {exercise.id}: the files are as at the start"
    return Line(f"{told}; yours are kept in {shown(kept)}" if kept else told)


def _is_done(folder: Path, one: Edit) -> bool:
    text = (folder / one.file).read_text("utf-8") if (folder / one.file).exists() else ""
    if one.find is None or one.find in one.put:
        return one.put in text
    return one.put in text and not _pattern(one).search(text)


def edited(before: str, one: Edit, file: Path) -> str:
    """Return a text after one edit.

    Raises:
        EditDoesNotFit: what is looked for is not found, or more than once.
    """
    found = _pattern(one).findall(before)
    if len(found) != 1:
        raise EditDoesNotFit(
            f"an edit does not fit {one.file}",
            asked=f"find once: {one.find!r}",
            found=f"{len(found)} times in {file}",
            look_at=str(file),
            fix="start over with reset(id), or correct the edit in exercise.yaml",
        )
    return before.replace(found[0], one.put)


def _pattern(one: Edit) -> re.Pattern[str]:
    """What ``find`` matches; a line ``...`` in it stands for as few lines as possible."""
    parts = (one.find or "").split("\n...\n")
    return re.compile(r"\n(?:.*\n)*?".join(map(re.escape, parts)))
