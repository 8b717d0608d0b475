"""What the table of docs/views-of-faults.md says of three break labs is so when they are played."""

from __future__ import annotations

import pytest

from labkit.exercises import load
from tests.support.measure_views import CONTROL_PLANE, asked_of, lab_of, measured
from tests.support.view_marks import VIEWS, gaps, marks


@pytest.mark.parametrize(
    "id",
    [
        pytest.param("every-order-fails", id="a failure"),
        pytest.param("nobody-answers", id="one that never ends"),
        pytest.param("the-trace-ends-at-the-border", id="a torn trace"),
    ],
)
def test_the_views_of_a_fault_show_what_the_table_says(id):
    exercise, told = load(id), measured()["labs"][id]
    with lab_of(exercise, "fault"):  # its symptom is asserted in tests/exercises
        asked = asked_of(exercise)
    for view in VIEWS:
        found = marks(asked, view, (*exercise.apps, *CONTROL_PLANE))
        assert {m[:2] for m in found} >= {tuple(m[:2]) for m in told["shown"][view]}, view
    # Every bar has its span with its service and parent, and every failure its counter.
    assert sorted({g for run in asked for g in gaps(run)}) == told["gaps"]["fault"]
