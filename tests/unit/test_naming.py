"""Names of lessons and exercises, as people type them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit import naming, progress
from labkit.exercises import in_order, load


@pytest.mark.parametrize(
    ("name", "number", "id"),
    [
        ("7", "07", ""),
        ("07.1", "07.1", ""),
        ("7.1", "07.1", ""),
        ("07.1-try-again", "07.1", "try-again"),
        ("try-again", "", "try-again"),
        ("learn/07.1-try-again.new-2.ipynb", "07.1", "try-again"),
        ("exercises/try-again.ipynb", "", "try-again"),
        (" 00-start-here ", "00", "start-here"),
        ("", "", ""),
    ],
)
def test_a_name_is_taken_apart(name, number, id):
    assert naming.split(name) == (number, id)


@given(st.text())
def test_no_name_breaks_it(name):
    assert "/" not in naming.split(name).id


def test_every_exercise_is_found_by_its_number_too():
    known = in_order()
    assert len({e.label for e in known}) == len(known) > 20
    for exercise in known:
        lesson, _, place = exercise.label.partition(".")
        assert load(exercise.label).id == exercise.id
        assert load(f"{int(lesson)}.{place}").id == exercise.id
        assert load(exercise.notebook.name).id == exercise.id


def test_a_lesson_is_found_by_number_id_or_file():
    for lesson in progress.syllabus():
        slug = lesson["slug"]
        for name in (slug[:2], str(int(slug[:2])), slug, slug[3:], f"{slug}.kept-1.ipynb"):
            assert progress.lesson_named(name) == slug
    assert progress.lesson_named("99") is None
    assert progress.lesson_named("never-was") is None
