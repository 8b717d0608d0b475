"""JupyterLab on a learner's folder, and a page of a real browser that looks at it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from labkit import learn, paths
from labkit.cli.test import browser
from labkit.jupyter import server as jupyter
from labkit.processes.supervisor import Supervisor
from labkit.waiting import patience, wait_until

HOST, TOKEN = "127.0.0.1", "t0k"
SLOW = 150_000
"""Deadline for what takes a moment on a machine that has nothing else to do, in ms.

A machine that is busy or slow when a page is opened has as many times that.
"""
PATH = "window.jupyterapp.shell.currentWidget?.context?.path"
ARTEFACTS = paths.repo() / ".lab" / "screenshots"


@dataclass
class Opened:
    """A learner's notebook, open in JupyterLab, and the requests that left this machine.

    Attributes:
        folder: what JupyterLab shows; ``learn`` is in it.
    """

    page: Page
    url: str
    folder: Path
    notebook: Path
    strangers: set[str] = field(default_factory=set)

    def run_all(self, within: float = 120) -> None:
        """Run all cells, and wait until each has a number; an error in one ends the wait."""
        self.command("notebook:run-all-cells")
        done = """() => {
            const cells = window.jupyterapp.shell.currentWidget.content.model.cells;
            for (let i = 0; i < cells.length; i++) {
                const c = cells.get(i);
                if (c.type !== 'code') continue;
                for (const o of c.sharedModel.outputs)
                    if (o.output_type === 'error') return `${c.sharedModel.source}\n${o.evalue}`;
                if (c.executionState !== 'idle' || !c.executionCount) return false;
            }
            return 'all'; }"""
        came = self.page.wait_for_function(done, timeout=within * 1000 * patience()).json_value()
        assert came == "all", f"a cell has raised an error: {came}"

    def command(self, name: str, arguments: str = "{}") -> None:
        """Run a command of JupyterLab; the braces keep the page from waiting for its end."""
        self.page.evaluate(
            f"() => {{ window.jupyterapp.commands.execute('{name}', {arguments}); }}"
        )

    def run_first(self, words: str) -> None:
        """Run the first cell that holds these words, and wait for its end."""
        cell = self.page.locator(".jp-CodeCell").filter(has_text=words).first
        cell.click()
        self.command("notebook:run-cell")
        expect(cell.locator(".jp-OutputArea-output").first).to_be_attached()

    def shows(self, path: str) -> None:
        """Wait until a file of ``folder`` is in front."""
        self.page.wait_for_function(f"() => {PATH} === '{path}'")

    def open(self, path: str) -> None:
        """Open a file of ``folder``, and wait until it is shown."""
        self.command("docmanager:open", f"{{path: '{path}'}}")
        self.shows(path)

    def open_again(self) -> None:
        """Load the page again: the notebook as it is on the disk."""
        self.page.reload()
        self.wait_for_notebook()

    def wait_for_notebook(self) -> None:
        """Wait until the notebook is the one in front, and its kernel is idle."""
        path = jupyter.address(self.notebook)
        front = f"""() => {PATH} === '{path}' && window.jupyterapp.shell.currentWidget
            .sessionContext?.session?.kernel?.status === 'idle'"""
        self.page.wait_for_function(front)

    def address(self, path: str) -> str:
        """Return the address under which the server reads and writes a file of ``folder``."""
        return f"{self.url}/api/contents/{path}"

    def picture(self, name: str) -> None:
        """Keep a screenshot as an artefact."""
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=ARTEFACTS / f"{name}.png")


@pytest.fixture
def opened(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Opened]:
    """A learner's notebook (00, or the test's parameter) in JupyterLab at 1280 px."""
    monkeypatch.setenv("LABKIT_STATE", str(tmp_path))
    learn.update()
    notebook = learn.find(getattr(request, "param", "00"))
    folder, root = paths.state() / "jupyter", jupyter.root()
    jupyter.write_settings(folder)
    jupyter.trust(folder, paths.repo())
    port = jupyter.chosen_port(None)
    own, argv = jupyter.private(folder, port, TOKEN), jupyter.command(port, folder, root)
    supervisor = Supervisor(f"browser-{os.getpid()}-{port}", [])
    try:
        log = tmp_path / "jupyter.log"
        supervisor.start("JupyterLab", argv, jupyter.environment(folder, own), root, log)
        url = f"http://{HOST}:{port}"
        wait_until(lambda: _answers(f"{url}/api"), what="JupyterLab answers", usual=SLOW / 1000)
        given = SLOW * patience()
        expect.set_options(timeout=given)
        with sync_playwright() as play:
            window = play.chromium.launch(
                executable_path=browser(),
                timeout=given,
                args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
            )
            page = window.new_page(viewport={"width": 1280, "height": 1000})
            page.set_default_timeout(given)
            opened = Opened(page, url, root, notebook.file)
            local = (url, url.replace("http", "ws"), "data:", "blob:")
            page.on(
                "request",
                lambda r: None if r.url.startswith(local) else opened.strangers.add(r.url),
            )
            page.goto(f"{url}/lab/tree/{jupyter.address(notebook.file)}?token={TOKEN}")
            page.wait_for_selector(".jp-Notebook .jp-Cell")
            opened.wait_for_notebook()
            yield opened
            window.close()
    finally:
        supervisor.close()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.HTTPError:
        return False
