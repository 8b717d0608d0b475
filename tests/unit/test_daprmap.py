"""The picture of Dapr: complete, the same in words, one part highlighted without colour alone."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from labkit import dapr_here
from labkit.course.daprmap import ALSO, BOXES, DOES, FRAMES, LINKS, NoSuchPart


def test_it_is_well_formed_and_says_in_words_what_it_shows():
    root = ElementTree.fromstring(dapr_here().svg)
    assert root.get("role") == "img"
    assert [e.tag.rpartition("}")[2] for e in root][:2] == ["title", "desc"]
    assert root[1].text == dapr_here().text


def test_every_part_that_is_drawn_is_said_and_the_other_way_round():
    assert {b.part for b in BOXES} | {f.part for f in FRAMES} == set(DOES)
    assert {end for link in LINKS for end in link.ends} < set(DOES)
    for box in BOXES:
        assert box.name in dapr_here().svg
        assert f"- {box.part}: " in dapr_here().text


@pytest.mark.parametrize("part", DOES)
def test_a_highlighted_part_differs_by_its_line_and_stands_first_in_words(part):
    plain, lit = dapr_here(), dapr_here(part)
    widths = re.findall(r'stroke-width="(3.5|4.5)"', lit.svg)
    assert widths
    assert not re.findall(r'stroke-width="(3.5|4.5)"', plain.svg)
    assert lit.text.splitlines()[1].startswith(f"> {part}: ")


def test_the_same_call_gives_the_same_bytes():
    assert dapr_here("sidecar").svg == dapr_here("daprd").svg
    assert "http" not in dapr_here().svg.replace("http://www.w3.org/2000/svg", "")


def test_other_words_for_a_part_are_known_and_an_unknown_one_is_named_with_what_is_near():
    assert {dapr_here(word).parts[0] for word in ALSO} <= set(DOES)
    with pytest.raises(NoSuchPart) as caught:
        dapr_here("sidecars")
    assert "'sidecar'" in caught.value.fix
    with pytest.raises(NoSuchPart) as caught:
        dapr_here("quux")
    assert "name one" in caught.value.fix


def test_nothing_overlaps():
    for one in BOXES:
        for two in BOXES:
            apart = one.x + one.width <= two.x or two.x + two.width <= one.x
            above = one.y + one.height <= two.y or two.y + two.height <= one.y
            assert one is two or apart or above
