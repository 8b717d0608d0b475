"""Command lines of a sidecar."""

from __future__ import annotations

import csv
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.apps.launch import Surroundings, quoted
from labkit.apps.ownapp import OwnApp
from labkit.apps.parts import Ports, Shared
from labkit.runfile import AppSpec


@pytest.mark.parametrize(
    ("path", "given_as"),
    [
        ("/a b/c", "/a b/c"),
        ("/a,b", '"/a,b"'),
        ('/a"b', '"/a""b"'),
        ("/a\nb", '"/a\nb"'),
    ],
)
def test_a_path_is_quoted_where_daprd_would_cut_it(path, given_as):
    assert quoted(Path(path)) == given_as


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_any_path_is_one_value_for_a_reader_of_csv(text):
    path = Path(f"/{text}")
    (row,) = csv.reader([quoted(path)], strict=True) if "\n" not in text else [[str(path)]]
    assert row == [str(path)]


def test_an_app_with_another_entry_is_started_by_it(tmp_path):
    """A check lets another service run under an app ID, and later the usual one again."""
    first = spec_of(tmp_path / "one")
    shared = Shared(tmp_path, "token", None, httpx.Client(), tmp_path / "dapr.yaml", 0.0)
    around = Surroundings(shared, tmp_path / "daprd", {}, (), tmp_path / "c.yaml", None)
    app = OwnApp(first, around, Ports(*range(1, 6)))
    app.spec = spec_of(tmp_path / "two")
    assert app.launch.folder("worker") == app.service.spec.folder == tmp_path / "two"


def spec_of(folder):
    return AppSpec("a", folder, ("python3", "main.py"), {}, (), None)
