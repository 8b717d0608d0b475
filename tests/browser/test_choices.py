"""Predictions, quizzes and pictures in a real browser: names, states, rings, sizes."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect


@pytest.mark.timeout(900)
def test_choices_and_pictures_can_be_used_without_a_mouse_and_without_good_eyes(opened):
    page = opened.page
    opened.run_all()
    group = page.get_by_role("group", name="Your prediction").first
    button = group.get_by_role("button", name="yes, it is kept")
    expect(button).to_have_attribute("aria-pressed", "false")
    button.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    ring = _room_at_the_left(button)
    assert ring >= 4, f"{ring} px at the left for a ring of 3 px with 1 px between"
    page.keyboard.press("Space")
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(group.get_by_role("status")).to_contain_text("yes, it is kept")

    printed = page.locator(".jp-RenderedText pre").first
    how = printed.evaluate("e => [getComputedStyle(e).wordBreak, getComputedStyle(e).whiteSpace]")
    assert how[0] == "normal", "printed text wraps between words"
    assert how[1] == "pre-wrap"

    page.set_viewport_size({"width": 640, "height": 500})  # as 1280 x 1000 at 200 %
    picture = page.locator("svg[role='img']").last
    width = picture.evaluate("e => e.getBoundingClientRect().width")
    assert width >= 799, "the picture keeps its size, and its frame scrolls"
    frame = picture.evaluate("e => [e.parentNode.scrollWidth, e.parentNode.clientWidth]")
    assert frame[0] > frame[1]
    opened.picture("picture-narrow")


def _room_at_the_left(button) -> float:
    """Pixels between a button and the edge that cuts off what lies outside."""
    return button.evaluate(
        """b => { let box = b.parentElement;
            while (box && getComputedStyle(box).overflowX === 'visible') box = box.parentElement;
            return b.getBoundingClientRect().left - box.getBoundingClientRect().left; }"""
    )
