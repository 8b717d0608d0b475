"""A short form of an input, by which people can tell calls of one activity apart."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

LONGEST = 20
_NOT_A_NAME = re.compile(r"[0-9a-f]{8}|\d{4}-\d\d-\d\d|\d{9}", re.I)
"""IDs, hashes and times: they differ, but nobody recognizes a call by them."""


def short_forms(values: Sequence[Any]) -> list[str]:
    """Return a short form of each input; empty texts where they do not differ.

    Of objects it is the first field that differs in all, or else in some.
    """
    if values and all(isinstance(v, dict) for v in values):
        return _of_objects(values)
    return _told_apart([_short(v) for v in values])


def _of_objects(values: Sequence[dict[str, Any]]) -> list[str]:
    columns = []
    for key in values[0]:
        if all(key in v and not isinstance(v[key], (dict, list)) for v in values):
            columns.append(_told_apart([_short(v[key]) for v in values]))
    useful = [c for c in columns if any(c)]
    whole = [c for c in useful if len(set(c)) == len(c)]
    return next(iter([*whole, *useful]), [""] * len(values))


def _told_apart(forms: list[str]) -> list[str]:
    """The forms, or empty texts where all are the same or some is no name."""
    if len(set(forms)) < 2 or any(_NOT_A_NAME.search(f) for f in forms):
        return [""] * len(forms)
    return forms


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
