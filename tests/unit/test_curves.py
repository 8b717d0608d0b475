"""Curves of overload: the picture and the table say the same."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import labkit
from labkit.mail.curves import Curves, Played
from labkit.mail.server import Try

TRIES = (Try("a", 10.0, 12.0), Try("b", 10.5, 13.0), Try("a", 12.5, None))
STORM = Played("no protection", TRIES, ("FAILED", "COMPLETED", "FAILED"), 10.0)
CALM = Played("a <limit>", (), ("COMPLETED",), 10.0)


def test_a_run_is_counted_from_its_first_order_on():
    assert (STORM.mails, STORM.most, STORM.seconds) == (3, 2, 3.0)
    assert STORM.ends == "2 FAILED, 1 COMPLETED"
    assert list(STORM.steps()) == [(0.0, 1), (0.5, 2), (2.0, 1), (2.5, 2), (3.0, 1)]


def test_a_run_in_which_nothing_came_is_empty():
    assert (CALM.mails, CALM.most, CALM.seconds, list(CALM.steps())) == (0, 0, 0.0, [])


def test_the_table_has_a_line_for_each_run():
    head, first, second = Curves([STORM, CALM], 3).table().splitlines()
    assert head.split() == ["run", "orders", "mails", "at", "most", "at", "once", "seconds"]
    assert first.split()[-3:] == ["3", "2", "3.0"]
    assert second.startswith("a <limit>")


def test_the_picture_is_valid_and_holds_the_table_and_a_curve_for_each_run():
    picture = Curves([STORM, CALM], 3)
    root = ET.fromstring(picture.svg())
    space = {"s": "http://www.w3.org/2000/svg"}
    assert root.find("s:desc", space).text == picture.table()
    words = [t.text for t in root.findall("s:text", space)]
    assert "3 mails, at most 2 at once, 3.0 s" in words[1]
    assert "a <limit>: 1 COMPLETED" in words[2]
    assert len(root.findall("s:path", space)) == 3 * 2


def test_what_stands_beside_a_picture_holds_no_measured_figure():
    assert repr(Curves([STORM, CALM], 3)) == "2 runs: no protection, a <limit>"


def test_no_run_is_no_picture_of_anything():
    ET.fromstring(Curves([], 3).svg())
    assert labkit.Curves is Curves
