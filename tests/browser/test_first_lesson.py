"""Lesson 00 as a learner meets it: opened in JupyterLab, run, answered by keyboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from labkit.waiting import wait_until

OUTPUTS = ".jp-OutputArea-output"


@pytest.mark.timeout(900)
def test_a_learner_can_run_it_and_answer_by_keyboard_and_nothing_leaves_the_machine(opened):
    page = opened.page
    expect(page.locator(".jp-CodeCell").first).to_be_attached()
    assert page.locator(OUTPUTS).count() == 0, "no result is shown before it was run"
    browser = page.locator(".jp-DirListing-item")
    expect(browser.filter(has_text="00-start-here.ipynb")).to_be_visible()
    first = [text.strip() for text in browser.all_inner_texts()][:3]
    assert first == ["files", "00-start-here.ipynb", "01-why-multi-app-workflows.ipynb"]
    opened.picture("lesson-00-opened")

    opened.run_all()
    opened.command("docmanager:save")
    kept = opened.folder / "jupyter" / "checkpoints"
    wait_until(
        lambda: list(kept.rglob("00-*.ipynb")), what="a checkpoint in the state folder", usual=10
    )
    assert not list(opened.notebook.parent.glob(".ipynb_checkpoints"))
    assert page.locator(f"{OUTPUTS}[data-mime-type*='error']").count() == 0
    assert page.locator("svg[role='img']").count() >= 4, "Dapr and the swimlanes are drawn"
    assert list((opened.notebook.parent / "files").rglob("main.py")), "files are beside it"

    answer = page.get_by_role("button", name="only the fourth")
    expect(answer).to_be_visible()
    answer.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    expect(page.get_by_role("status").filter(has_text="only the fourth")).to_contain_text("Right")

    asked = page.get_by_role("group", name="Your prediction").first
    asked.get_by_role("button").first.focus()
    page.keyboard.press("Enter")
    expect(asked.get_by_role("status")).to_contain_text("You had already seen the result")

    for theme in ("Light", "Dark"):
        opened.command("apputils:change-theme", f"{{theme: 'JupyterLab {theme}'}}")
        light = f"body[data-jp-theme-light='{str(theme == 'Light').lower()}']"
        page.wait_for_selector(light, state="attached")
        for number, part in enumerate(("svg[role='img'] >> nth=2", ".lab-choice >> nth=2")):
            page.locator(part).scroll_into_view_if_needed()
            opened.picture(f"lesson-00-{theme.lower()}-{number}")

    opened.command("docmanager:save")
    wait_until(lambda: "svg" in opened.notebook.read_text(), what="the notebook is saved", usual=10)
    opened.open_again()
    expect(page.locator("svg[role='img']").first).to_be_attached()  # what was run is trusted
    assert opened.strangers == set(), "no request leaves the machine"
