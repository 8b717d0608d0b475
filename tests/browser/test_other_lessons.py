"""Lessons after the first run from top to bottom in JupyterLab.

From lesson 10 on a lesson runs whole systems many times, for minutes, in cells of the same kinds:
the notebook tests run these, and a browser would show nothing new.
"""

from __future__ import annotations

import pytest

from labkit.course import progress
from labkit.waiting import patience

LESSONS = [str(lesson["slug"]) for lesson in progress.syllabus()][1:10]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("opened", LESSONS, indirect=True)
def test_run_all_ends_without_an_error_and_without_a_stranger(opened):
    opened.run_all(within=240 * patience())
    page = opened.page
    assert page.locator(".jp-OutputArea-output[data-mime-type*='error']").count() == 0
    assert page.get_by_text("is finished").count() == 1, "the last cell was run"
    assert opened.strangers == set()
