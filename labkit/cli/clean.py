"""``./lab clean``: removes what runs have left; with ``--all`` the caches too."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from labkit import paths, runs


def main(argv: Sequence[str]) -> int:
    """Remove folders after asking; a running lab and the learner's work are kept."""
    parser = argparse.ArgumentParser(prog="./lab clean", description=__doc__)
    parser.add_argument("--all", action="store_true", help="the Dapr runtime and other caches too")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    options = parser.parse_args(argv)
    folders = [r.path for r in runs.all_runs() if not r.alive]
    if options.all:
        folders += [paths.cache(), *paths.repo().glob("services/*/.venv")]
    folders = [f for f in folders if f.exists()]
    if not folders:
        print("nothing to remove")
        return 0
    print("\n".join(f"  {f}  ({_size_mib(f):.0f} MiB)" for f in folders))
    if not options.yes and not _agreed():
        print("nothing was removed")
        return 1
    runs.sweep()
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"removed {len(folders)} folders; your notebooks and files in {paths.learn()} were kept")
    return 0


def _agreed() -> bool:
    if not sys.stdin.isatty():
        print("say --yes to remove them without being asked")
        return False
    return input("remove these? [y/N] ").strip().lower() in ("y", "yes")


def _size_mib(folder: Path) -> float:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 2**20
