"""Every error of labkit can be acted on."""

from __future__ import annotations

import importlib
import pickle
import pkgutil
import re

import pytest

import labkit
from labkit.errors import FIELDS, LabError
from labkit.waiting import NotInTime, wait_until


def all_errors() -> list[type[LabError]]:
    for module in pkgutil.walk_packages(labkit.__path__, "labkit."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found, todo = [], [LabError]
    while todo:
        for kind in todo.pop().__subclasses__():
            found.append(kind)
            todo.append(kind)
    return found


def test_codes_are_unique_and_kebab_case_and_each_class_says_what_it_is():
    kinds = all_errors()
    codes = [k.code for k in kinds]
    assert len(kinds) > 25
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", c) for c in codes)
    assert all(k.__doc__ for k in kinds)


def test_text_html_and_json_show_the_same_fields():
    error = LabError("wrong", asked="a <b>", found="f", look_at="l", fix="m")
    assert [w in str(error) for w in ("wrong", "a <b>", "f", "l", "m")] == [True] * 5
    assert "&lt;b&gt;" in error._repr_html_()
    assert set(error.as_dict()) == {"code", "title", *FIELDS}
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_wait_that_ends_too_late_tells_the_last_answer():
    with pytest.raises(NotInTime) as caught:
        wait_until(lambda: 0, 0.05, "the list fills")
    assert caught.value.found == "last answer: 0"
    assert "the list fills" in caught.value.asked
    with pytest.raises(NotInTime) as caught:
        wait_until(lambda: ["a list"] == [], 0.05)
    assert 'lambda: ["a list"] == []' in caught.value.asked


def test_the_public_names_are_those_listed():
    assert set(labkit.__all__) == set(dir(labkit))
    assert all(getattr(labkit, name) for name in labkit.__all__)
