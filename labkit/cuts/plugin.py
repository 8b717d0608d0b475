"""A pytest plug-in: one test per cut, for a project of one's own.

In a test file, with a run file and an invariant beside it::

    @pytest.mark.cuts("dapr.yaml", workflow="fulfil_order", input="order.json",
                      invariant="invariant.py:holds", victims=["worker", "target"])
    def test_it_holds(cut):
        cut.require_held()

Paths start at the folder of the test file. ``input`` is a file or a value; ``how`` and ``points``
(numbers of events) choose the cuts; ``host``, ``events``, ``delay``, ``away`` and ``end`` are those
of :class:`labkit.cuts.Study`. The run without a cut is played when the tests are collected, once
for the same files.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from labkit.errors import LabError

if TYPE_CHECKING:
    from labkit.cuts.outcome import Result
    from labkit.cuts.plan import Cut
    from labkit.cuts.study import Study

OWN = ("workflow", "input", "invariant", "victims", "how", "points")


@dataclass(frozen=True)
class OneCut:
    """One cut of a study, in a test.

    Attributes:
        what: the cut; None for the run without one.
    """

    study: Study
    what: Cut | None

    def play(self) -> Result:
        """Play the cut, whatever an earlier sitting has found; keep the folder of a bad result."""
        if self.what is None:
            return self.study.record()[0]
        return self.study.one(self.what)

    def require_held(self) -> Result:
        """Play the cut, and fail the test when the promise did not hold.

        A cut that was not reached is no failure: the run took another way.
        """
        __tracebackhide__ = True
        result = self.play()
        if result.is_bad:
            kept = f"\nlogs, ledgers and mails: {result.folder}" if result.folder else ""
            pytest.fail(f"{result.cut}: {result.outcome}: {result.words}{kept}", pytrace=False)
        return result


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line(
        "markers", "cuts(run_file, workflow=, input=, invariant=, victims=, how=): one test per cut"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one test of each cut."""
    mark = metafunc.definition.get_closest_marker("cuts")
    if mark is None or "cut" not in metafunc.fixturenames:
        return
    folder = Path(metafunc.module.__file__ or ".").parent
    try:
        cases = list(_cases(folder, *mark.args, **mark.kwargs))
    except LabError as problem:
        raise pytest.UsageError(str(problem)) from problem
    metafunc.parametrize(
        "cut", [pytest.param(c, id=c.what.name if c.what else "uncut") for c in cases]
    )


def _cases(folder: Path, run_file: str, **given: Any) -> Iterable[OneCut]:
    from labkit.cuts.plan import RAISES, VICTIMS
    from labkit.cuts.study import Study

    file, colon, function = str(given["invariant"]).rpartition(":")
    study = Study(
        folder / run_file,
        given["workflow"],
        _input(folder, given["input"]),
        f"{folder / file}{colon}{function}",
        **{k: v for k, v in given.items() if k not in OWN},
    )
    uncut, _ = study.record()
    yield OneCut(study, None)
    if uncut.is_bad:  # its own test says so
        return
    how = given.get("how", "kill")
    victims = given.get("victims") or list(RAISES if how == "raise" else VICTIMS)
    points = given.get("points")
    for one in study.cuts(victims, how):
        if points is None or one.point.number in points:
            yield OneCut(study, one)


def _input(folder: Path, given: Any) -> Any:
    if isinstance(given, str) and (folder / given).is_file():
        return json.loads((folder / given).read_text("utf-8"))
    return given
