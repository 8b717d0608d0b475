"""``./lab clean``: removes what runs have left; with ``--all`` the caches too.

Your notebooks and files are kept. A cache that LABKIT_CACHE names may belong to others as well, so
it is kept, too, unless you say --shared-cache.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from labkit import paths
from labkit.host import sdk
from labkit.labs import runs

ON_DEMAND = "LABKIT_CACHE names it, and others may use it: --all --shared-cache removes it"


def main(argv: Sequence[str]) -> int:
    """Remove folders after asking; say what stayed and why; exit code 1 when something did."""
    parser = argparse.ArgumentParser(prog="./lab clean", description=__doc__)
    parser.add_argument("--all", action="store_true", help="the Dapr runtime and other caches too")
    parser.add_argument(
        "--shared-cache", action="store_true", help="with --all: also a cache LABKIT_CACHE names"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    options = parser.parse_args(argv)
    found = _folders(options.all)
    kept = {f: ON_DEMAND for f in found if _is_shared(f) and not _sure(f, options)}
    folders = [f for f in found if f not in kept]
    if folders:
        print("\n".join(f"  {f}  ({_size_mib(f):.0f} MiB)" for f in folders))
        if not options.yes and not _agreed("remove these?"):
            print("nothing was removed")
            return 1
    elif not kept:
        print("nothing to remove")
        return 0
    runs.sweep()
    stayed = {f: why for f in folders if (why := _remove(f))}
    _report(len(folders) - len(stayed), {**kept, **stayed})
    return 1 if stayed else 0


def _folders(everything: bool) -> list[Path]:
    """Return what may be removed: ended runs, with ``everything`` caches and environments too."""
    found = [r.path for r in runs.all_runs() if not r.alive]
    if everything:
        found += dict.fromkeys(c.resolve() for c in [*paths.caches(), paths.cache()])
        found += paths.repo().glob("services/*/.venv")
        found.append(paths.repo() / sdk.NEXT)
        found.append(paths.repo() / ".lab" / "bytecode")  # see hand_over in ./lab
    return [f for f in found if os.path.lexists(f)]


def _is_shared(folder: Path) -> bool:
    named = os.environ.get("LABKIT_CACHE")
    return bool(named) and folder == Path(str(named)).resolve()


def _sure(folder: Path, options: argparse.Namespace) -> bool:
    """Whether a cache that others may use is to be removed; that is asked for twice."""
    if not options.shared_cache:
        return False
    return bool(options.yes) or _agreed(f"also {folder}, for everybody who uses it?")


def _remove(folder: Path) -> str:
    """Remove a folder, or a link and not what it points to; return why it stayed, or ""."""
    problems: list[OSError] = []
    try:
        if folder.is_symlink():
            folder.unlink()
        else:
            shutil.rmtree(folder, onerror=lambda _, __, error: problems.append(error[1]))  # type: ignore[arg-type]
    except OSError as problem:
        problems.append(problem)
    if not os.path.lexists(folder):
        return ""
    first = problems[0] if problems else OSError("something was written there meanwhile")
    return f"{type(first).__name__}: {first}"


def _report(removed: int, stayed: dict[Path, str]) -> None:
    what = "folder" if removed == 1 else "folders"
    print(f"removed {removed} {what}; your notebooks and files in {paths.learn()} were kept")
    for folder, why in stayed.items():
        print(f"  stayed: {folder}\n          {why}")


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        print("say --yes to remove them without being asked")
        return False
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def _size_mib(folder: Path) -> float:
    if folder.is_symlink():
        return 0.0
    return sum(p.lstat().st_size for p in folder.rglob("*") if p.is_file()) / 2**20
