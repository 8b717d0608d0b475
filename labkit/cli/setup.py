"""``./lab setup``: the environment is made by then; gets the runtime and checks that it runs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from labkit import runtime
from labkit.console import Console


def main(argv: Sequence[str]) -> int:
    """Get the Dapr programs; print what there is."""
    argparse.ArgumentParser(prog="./lab setup", description=__doc__).parse_args(argv)
    prepare(Console())
    return 0


def prepare(console: Console) -> None:
    """Bring everything that a lesson needs on this machine."""
    programs = runtime.ensure(console)
    console.line(f"Dapr {programs.version} from {programs.origin}: {programs.folder}")
