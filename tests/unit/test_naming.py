"""Names of lessons and exercises, as people type them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.build import main
from labkit.course import naming, progress
from labkit.exercises import in_order, load
from labkit.exercises.catalogue import NoSuchExercise


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


def test_a_lesson_where_an_exercise_is_asked_for_is_said():
    with pytest.raises(NoSuchExercise) as caught:
        load("01")
    assert caught.value.title == "01 is a lesson, not an exercise"
    assert "01.1 move-the-mail" in caught.value.found
    assert caught.value.fix.endswith("./lab reset 01")


def test_an_exercise_is_built_by_its_number(capsys):
    assert main(["--check", "01.1"]) == 0
    assert "2 notebooks checked" in capsys.readouterr().err


def test_a_lesson_is_found_by_number_id_or_file():
    for lesson in progress.syllabus():
        slug = lesson["slug"]
        for name in (slug[:2], str(int(slug[:2])), slug, slug[3:], f"{slug}.kept-1.ipynb"):
            assert progress.lesson_named(name) == slug
    assert progress.lesson_named("99") is None
    assert progress.lesson_named("never-was") is None
