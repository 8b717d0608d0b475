"""``./lab setup``: all of ``./lab start`` except JupyterLab: the Dapr runtime, and ``learn/``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from labkit import learn, runtime
from labkit.console import Console


def main(argv: Sequence[str]) -> int:
    """Bring everything that a lesson needs on this machine; the environment exists by then."""
    argparse.ArgumentParser(prog="./lab setup", description=__doc__).parse_args(argv)
    prepare(Console())
    return 0


def prepare(console: Console) -> None:
    """Get the Dapr programs, and bring the learner's notebooks up to date."""
    programs = runtime.ensure(console)
    console.line(f"Dapr {programs.version} from {programs.origin}: {programs.folder}")
    for line in learn.update(console):
        console.line(line)
