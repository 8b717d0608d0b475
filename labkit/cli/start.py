"""``./lab start``: sets up what is missing, then opens JupyterLab on a lesson."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from labkit import jupyter
from labkit.cli.setup import prepare
from labkit.console import Console


def main(argv: Sequence[str]) -> int:
    """Serve JupyterLab until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="./lab start", description=__doc__)
    parser.add_argument("lesson", nargs="?", help="number or name of a lesson; none: the next one")
    parser.add_argument("--port", type=int, help="port of JupyterLab; none: a free one")
    parser.add_argument("--no-browser", action="store_true", help="print the address only")
    options = parser.parse_args(argv)
    lesson = jupyter.chosen_lesson(options.lesson)
    port = jupyter.chosen_port(options.port)
    console = Console()
    prepare(console)
    return jupyter.serve(lesson, port, browser=not options.no_browser, console=console)
