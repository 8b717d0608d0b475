"""The learner's copy of a deployment: made once, broken once, theirs from then on."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

from labkit import progress
from labkit.errors import AuthoringError
from labkit.exercises.catalogue import Edit, Exercise, load
from labkit.predict import Line
from labkit.workspace import copy_of_services, set_aside, shown


class EditDoesNotFit(AuthoringError):
    """An edit of an exercise finds its text not exactly once."""

    code = "edit-does-not-fit"


def broken(id: str) -> Path:
    """Return the run file of the learner's copy; makes and breaks it when it is not there.

    A copy that is there stays as it is, with all that was changed in it.

    Raises:
        NoSuchExercise: no exercise has this id.
    """
    exercise = load(id)
    if exercise.run_file.exists():
        print(f'your copy is as you left it; to start over: reset("{exercise.id}")')
    else:
        prepare(exercise, exercise.fault)
        print("your copy of the services is made")
    return exercise.run_file


def begin(id: str) -> Path:
    """Return the run file of the learner's copy for an exercise in which something is built.

    A copy that is there stays as it is, with all that was changed in it.

    Raises:
        NoSuchExercise: no exercise has this id.
    """
    return broken(id)


def prepare(exercise: Exercise, edits: Iterable[Edit]) -> Path:
    """Copy the deployment of an exercise and edit the copy; return its run file."""
    copy_of_services(exercise.id, *exercise.apps, components=exercise.components, env=exercise.env)
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
        after = one.put if one.find is None else _replaced(file, before, one)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(after, "utf-8")
        lines = difflib.unified_diff(
            before.splitlines(), after.splitlines(), one.file, one.file, lineterm="", n=1
        )
        told += [line for line in lines if not line.startswith("@@")]
    return "\n".join(told)


def apply(id: str) -> None:
    """Repair the learner's copy as the solution does, and print what changed."""
    exercise = load(id)
    if all(_is_done(exercise.work, one) for one in exercise.repair):
        print("the files are as in the solution already")
    else:
        print(edit(exercise.work, exercise.repair))


def reset(id: str) -> Line:
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
    return one.put in text and (one.find is None or one.find not in text or one.find in one.put)


def _replaced(file: Path, before: str, one: Edit) -> str:
    assert one.find is not None
    count = before.count(one.find)
    if count != 1:
        raise EditDoesNotFit(
            f"an edit does not fit {one.file}",
            asked=f"find once: {one.find!r}",
            found=f"{count} times in {file}",
            look_at=str(file),
            fix="start over with reset(id), or correct the edit in exercise.yaml",
        )
    return before.replace(one.find, one.put)
