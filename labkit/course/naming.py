"""Names of lessons and exercises, as people type them and as files carry them.

A number gives order and is no part of the id: ``07.1`` and ``nobody-answers`` name one exercise,
and ``06.3-nobody-answers`` from before a renumbering still does.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_NAME = re.compile(r"(?:(?P<lesson>\d{1,2})(?P<place>\.\d+)?(?:-|$))?(?P<id>[^.]*)")


class Name(NamedTuple):
    """A name taken apart; either half may be empty.

    Attributes:
        number: of a lesson (``"07"``) or an exercise (``"07.1"``).
        id: without number and without file extension, e.g. ``"nobody-answers"``.
    """

    number: str
    id: str


def split(name: str) -> Name:
    """Take a name apart: a number, an id, both, or the path of a notebook.

    >>> split("7.1")
    Name(number='07.1', id='')
    >>> split("learn/07.1-nobody-answers.new.ipynb")
    Name(number='07.1', id='nobody-answers')
    """
    found = _NAME.match(name.strip().rpartition("/")[2])
    assert found is not None  # every group is optional
    lesson = found["lesson"]
    return Name(lesson.zfill(2) + (found["place"] or "") if lesson else "", found["id"])
