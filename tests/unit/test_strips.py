"""Curves in strips: one scale, gaps where there is no number, valid SVG."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from labkit.notebook.strips import Strip, picture

SPACE = {"s": "http://www.w3.org/2000/svg"}
NAN = float("nan")


def paths(svg: str) -> list[str]:
    return [p.get("d") for p in ET.fromstring(svg).findall("s:path", SPACE)]


def test_all_strips_have_one_scale_and_a_gap_starts_the_curve_again():
    high = Strip("high", [(0, 10), (2, 10)])
    gap = Strip("<gap>", [(0, 5), (1, NAN), (2, 5)])
    found = paths(picture("title", "a < b", [high, gap], tall=50))
    assert found[0] == "M14.0 58.0L626.0 58.0"
    assert found[2] == "M14.0 167.0M626.0 167.0"


def test_a_bound_is_drawn_across_each_strip_and_raises_the_scale():
    svg = picture("t", "t", [Strip("a", [(0, 1), (1, 1)])], tall=50, bound=2)
    curve, bound, zero = paths(svg)
    assert curve == "M14.0 83.0L626.0 83.0"
    assert (bound, zero) == ("M14 58.0H626", "M14 108H626")


def test_nothing_and_a_curve_without_a_number_are_still_pictures():
    ET.fromstring(picture("<t>", "none", []))
    assert paths(picture("t", "t", [Strip("none", [(0, NAN)])]))[0] == ""
    assert Strip("none", []).most == 0


def test_of_a_level_only_its_two_ends_are_drawn():
    level = Strip("level", [(0, 2), (1, 2), (2, 2), (3, 2), (4, 1), (5, 1), (6, NAN), (7, 1)])
    path, _ = paths(picture("t", "t", [level], tall=50))
    assert path.count("L") == 3
    assert path.count("M") == 2
