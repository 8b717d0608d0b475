"""Command lines of a sidecar."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.launch import quoted


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
