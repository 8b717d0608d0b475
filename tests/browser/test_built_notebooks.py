"""The built notebooks, with their outputs, can be read in JupyterLab and not changed."""

from __future__ import annotations

import nbformat
import pytest
from playwright.sync_api import expect

from labkit import paths


@pytest.mark.timeout(900)
def test_a_built_lesson_is_shown_with_its_pictures_and_cannot_be_saved(opened):
    page = opened.page
    built = paths.repo() / "lessons" / "00-start-here.ipynb"
    before = built.read_bytes()
    opened.open("lessons/00-start-here.ipynb")
    expect(page.locator("svg[role='img']").first).to_be_attached()  # a stored picture is trusted
    expect(page.get_by_text("notebook is read-only")).to_be_visible()
    opened.command("docmanager:save")
    expect(page.get_by_text("Document is read-only")).to_be_visible()
    page.keyboard.press("Enter")
    answer = page.request.put(
        opened.address("lessons/00-start-here.ipynb"),
        data={"type": "notebook", "format": "json", "content": nbformat.v4.new_notebook()},
        headers={"Authorization": "token t0k"},
    )
    assert answer.status == 403
    assert "work on your copy in learn/" in answer.text()
    assert built.read_bytes() == before


@pytest.mark.timeout(900)
@pytest.mark.parametrize("opened", ["01.1"], indirect=True)
def test_a_link_of_an_exercise_opens_the_learners_file(opened):
    page = opened.page
    opened.run_first("begin(")
    page.get_by_role("link", name="dapr.yaml").first.click()
    opened.shows("learn/files/move-the-mail/dapr.yaml")
    opened.picture("exercise-linked")


@pytest.mark.timeout(900)
def test_the_debugger_of_notebooks_is_not_there(opened):
    """Its server runs code for whoever connects, and every user of the host can connect."""
    commands = opened.page.evaluate("() => window.jupyterapp.commands.listCommands()")
    assert "notebook:run-all-cells" in commands
    assert [name for name in commands if name.startswith("debugger:")] == []
