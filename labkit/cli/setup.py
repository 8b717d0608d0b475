"""``./lab setup``: all of ``./lab start`` but JupyterLab: environments, Dapr runtime, ``learn/``.

``./lab setup --here`` installs into the environment of the Python that you call it with (conda, a
container, a virtual environment of your own) instead of making .venv.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from labkit import learn, paths, runtime
from labkit.host import environments
from labkit.host.console import Console


def main(argv: Sequence[str]) -> int:
    """Bring everything that a lesson needs on this machine; the environment exists by then."""
    argparse.ArgumentParser(prog="./lab setup", description=__doc__).parse_args(argv)
    if environments.trouble():
        environments.discard()
        _make_environments()
    prepare(Console())
    return 0


def prepare(console: Console) -> None:
    """Get what is missing: environments of services, the Dapr programs, the learner's notebooks.

    Raises:
        SetupError: something could not be made or obtained.
    """
    if Path(sys.prefix) != paths.repo() / ".venv":  # else ./lab has made them before
        _make_environments()
    programs = runtime.ensure(console)
    console.line(f"Dapr {programs.version} from {programs.origin}: {programs.folder}")
    for line in learn.update(console):
        console.line(line)


def _make_environments() -> None:
    """Let ``lab`` make the environments of services, from their locks, as it does for .venv."""
    command = [sys.executable, str(paths.repo() / "lab"), "services"]
    if subprocess.run(command, check=False).returncode:  # it has said why
        environments.require()
