"""JupyterLab on a copy of the lessons, and a page of a real browser that looks at it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, sync_playwright

from labkit import jupyter, paths
from labkit.cli.test import browser
from labkit.processes import Supervisor
from labkit.waiting import wait_until

HOST, TOKEN = "127.0.0.1", "t0k"
ARTEFACTS = paths.repo() / ".lab" / "screenshots"


@dataclass
class Opened:
    """A notebook of ``folder``, open in JupyterLab, and the requests that left this machine."""

    page: Page
    folder: Path
    strangers: set[str] = field(default_factory=set)

    def run_all(self, within: float = 120) -> None:
        """Run all cells and wait until each has a number."""
        idle = (
            "() => window.jupyterapp.shell.currentWidget?.sessionContext"
            "?.session?.kernel?.status === 'idle'"
        )
        self.page.wait_for_function(idle, timeout=60_000)
        self.command("notebook:run-all-cells")
        done = """() => {
            const cells = window.jupyterapp.shell.currentWidget.content.model.cells;
            for (let i = 0; i < cells.length; i++) {
                const c = cells.get(i);
                if (c.type === 'code' && (c.executionState !== 'idle' || !c.executionCount))
                    return false;
            }
            return true; }"""
        self.page.wait_for_function(done, timeout=within * 1000)

    def command(self, name: str, arguments: str = "{}") -> None:
        """Run a command of JupyterLab; the braces keep the page from waiting for its end."""
        self.page.evaluate(
            f"() => {{ window.jupyterapp.commands.execute('{name}', {arguments}); }}"
        )

    def clear_outputs(self) -> None:
        """Remove the stored outputs, so that what is seen was made now."""
        self.command("notebook:clear-all-cell-outputs")

    def picture(self, name: str) -> None:
        """Keep a screenshot as an artefact."""
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=ARTEFACTS / f"{name}.png")


@pytest.fixture
def opened(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Opened]:
    """A lesson (00, or the test's parameter) in JupyterLab at 1280 px, served from a copy."""
    lesson = getattr(request, "param", "00-start-here")
    shutil.copytree(paths.repo() / "lessons", tmp_path / "lessons")
    state = tmp_path / "state"
    jupyter.write_settings(state / "jupyter")
    jupyter.trust(state / "jupyter", tmp_path)
    port = jupyter.chosen_port(None)
    argv = jupyter.command(port, TOKEN, state / "jupyter", tmp_path)
    env = {**jupyter.environment(state / "jupyter"), "LABKIT_STATE": str(state)}
    supervisor = Supervisor(f"browser-{os.getpid()}-{port}", [])
    try:
        supervisor.start(
            "JupyterLab",
            argv,
            env,
            tmp_path,
            tmp_path / "jupyter.log",
        )
        url = f"http://{HOST}:{port}"
        wait_until(lambda: _answers(f"{url}/api"), 60, "JupyterLab answers")
        with sync_playwright() as play:
            window = play.chromium.launch(
                executable_path=browser(),
                args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
            )
            page = window.new_page(viewport={"width": 1280, "height": 1000})
            opened = Opened(page, tmp_path)
            local = (url, url.replace("http", "ws"), "data:", "blob:")
            page.on(
                "request",
                lambda r: None if r.url.startswith(local) else opened.strangers.add(r.url),
            )
            page.goto(f"{url}/lab/tree/lessons/{lesson}.ipynb?token={TOKEN}")
            page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
            yield opened
            window.close()
    finally:
        supervisor.close()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.HTTPError:
        return False
