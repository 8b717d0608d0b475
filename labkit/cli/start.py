"""``./lab start``: sets up what is missing, then opens JupyterLab on the next lesson.

Your notebooks are in learn/: made at the first start, brought up to date at each one. What you
edited or ran is never replaced.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from labkit import paths
from labkit.cli.setup import prepare
from labkit.host.console import Console
from labkit.jupyter import server as jupyter


def main(argv: Sequence[str]) -> int:
    """Serve JupyterLab until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="./lab start", description=__doc__)
    parser.add_argument("name", nargs="?", help="a lesson or exercise: 3, 03.1, or its name")
    parser.add_argument("--port", type=int, help="port of JupyterLab; none: a free one")
    parser.add_argument("--no-browser", action="store_true", help="print the address only")
    options = parser.parse_args(argv)
    os.environ["LABKIT_COURSE"] = str(
        paths.repo()
    )  # kernels find it, wherever labkit and learn are
    notebook = jupyter.chosen(options.name)
    port = jupyter.chosen_port(options.port)
    console = Console()
    prepare(console)
    return jupyter.serve(notebook, port, browser=not options.no_browser, console=console)
