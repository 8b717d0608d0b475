"""``./lab build``: notebooks from their sources; ``--check`` proves that nothing has drifted.

Sources are jupytext percent files under ``authoring/``. A built notebook is executed on the real
runtime and stored with its outputs. The check executes nothing and ends in seconds; that the
outputs are still true is proven by the strict notebook tests.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from labkit.build import atlas, attack, breaklabs, claims, glossary, index, readme
from labkit.build.catalogue import Notebook, notebooks, orphans
from labkit.build.compare import drift
from labkit.build.execute import execute, with_outputs_of_before
from labkit.build.lint import problems
from labkit.build.source import read, store
from labkit.exercises import in_order

PAGES = (atlas, breaklabs, claims, glossary, index, readme)


def main(argv: Sequence[str] | None = None) -> int:
    """Build or check the named notebooks, or all."""
    argv = list(sys.argv[1:] if argv is None else argv)
    if argv[:1] == ["attack"]:
        return attack.main(argv[1:])
    parser = argparse.ArgumentParser(prog="./lab build", description=__doc__)
    parser.add_argument(
        "name",
        nargs="*",
        help="number or start of a name; pages: the generated pages; attack ID: see "
        "labkit/build/attack.py; none: all",
    )
    parser.add_argument("--check", action="store_true", help="build nothing; say what differs")
    parser.add_argument(
        "--text",
        action="store_true",
        help="run nothing: no code has changed, so the outputs of the last build stay",
    )
    options = parser.parse_args(argv)
    if options.name == ["pages"]:
        _write_pages()
        return 0
    wanted = [n for n in notebooks() if not options.name or _named(n, options.name)]
    if not wanted:
        print(f"no source fits {options.name}", file=sys.stderr)
        return 2
    if options.check:
        return _check(wanted, everything=not options.name)
    # A rule that is broken is told now, not after minutes of running.
    if broken := [f"{n.source}: {p}" for n in wanted for p in problems(n)]:
        print("\n".join(broken), file=sys.stderr)
        return 1
    for notebook in wanted:
        print(f"building {notebook.target.name}", file=sys.stderr, flush=True)
        made = with_outputs_of_before if options.text else execute
        built = read(notebook)
        store(made(built, notebook) if notebook.executed else built, notebook.target)
    _write_pages()
    return _check(wanted, everything=False)


def _write_pages() -> None:
    for made in PAGES:
        made.target().write_text(made.page(), "utf-8")


def _check(wanted: Sequence[Notebook], *, everything: bool) -> int:
    found = [f"{n.target.name}: {p}" for n in wanted for p in [*drift(n), *problems(n)]]
    if everything:
        found += [p for made in PAGES for p in made.problems()]
        found += [f"{path}: has no source; remove it" for path in orphans()]
    for line in found:
        print(line, file=sys.stderr)
    print(f"{len(wanted)} notebooks checked, {len(found)} problems", file=sys.stderr)
    return 1 if found else 0


def _named(notebook: Notebook, names: Sequence[str]) -> bool:
    numbers = {e.label: e.id for e in in_order()}
    return any(notebook.target.stem.startswith(numbers.get(name, name)) for name in names)
