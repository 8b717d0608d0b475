"""Sixty cycles of chaos: all that must hold holds, whatever is killed whenever."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from labkit.bench import chaos

BLOCK = 5


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(0, chaos.CYCLES, BLOCK))
def test_every_workflow_ends_right_and_nothing_is_left(first):
    reports = list(chaos.run(range(first, first + BLOCK), at_once=2))
    assert [asdict(r) for r in reports if r.problems] == []
    assert len(reports) == BLOCK
    assert all(r.notes for r in reports), "evidence was written all the time"
