"""Plays an exercise as a learner would: files in some state, the scenario, the check.

The scenario is the one of the notebook: its code cells are run as they are, or with edits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from typing import Any

import grpc
import jupytext

import labkit
from labkit.build.frame import scenario_cells
from labkit.course.verdict import Verdict
from labkit.errors import LabError
from labkit.exercises import Exercise
from labkit.exercises.catalogue import Edit
from labkit.exercises.checking import look
from labkit.exercises.deployment import edited, prepare


def scenario_of(exercise: Exercise, edits: Iterable[Edit] = ()) -> str:
    """Return the code that makes the lab and uses it, after edits of the cell."""
    nb = jupytext.read(exercise.folder / "exercise.py", fmt="py:percent")
    code = "\n\n".join(str(cell.source) for cell in scenario_cells(exercise, nb.cells))
    for one in edits:
        code = edited(code, one, exercise.folder / "exercise.py")
    return code


@contextmanager
def played(
    exercise: Exercise,
    edits: Iterable[Edit],
    scenario: Iterable[Edit] = (),
    *,
    times: int = 1,
    counter: bool = True,
    accident: bool = True,
    action: str = "",
) -> Iterator[Verdict]:
    """Prepare the deployment with these edits, run the scenario, and yield the verdict.

    Args:
        scenario: edits of the scenario cell.
        times: how often ``scenario(lab)`` is run in the same lab.
        counter: see :func:`labkit.exercises.checking.look`.
        accident: let it happen, where the exercise has one.
        action: what is done after the scenario, as code.
    """
    with staged(exercise, edits, scenario, times=times, accident=accident, action=action):
        yield look(exercise, counter=counter)


@contextmanager
def staged(
    exercise: Exercise,
    edits: Iterable[Edit],
    scenario: Iterable[Edit] = (),
    *,
    times: int = 1,
    accident: bool = True,
    action: str = "",
) -> Iterator[None]:
    """Do the same as :func:`played`, without a look at it; the lab runs until the end."""
    run_file = prepare(exercise, edits)
    names: dict[str, Any] = {n: getattr(labkit, n) for n in labkit.__all__}
    names |= {"run_file": run_file, "manifests": run_file, "RpcError": grpc.RpcError}
    if not accident:
        names["accident"] = lambda id, lab: None
    code = scenario_of(exercise, scenario) + "\nscenario(lab)" * (times - 1)
    code += f"\n{action}"
    with redirect_stdout(StringIO()):
        try:
            exec(compile(code, f"{exercise.id} scenario", "exec"), names)
        except LabError as problem:  # a broken deployment may not start at all
            names["problem"] = problem
    try:
        yield
    finally:
        for lab in [v for v in names.values() if isinstance(v, labkit.Lab)]:
            lab.down()
