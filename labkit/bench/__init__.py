"""``./lab bench``: figures of this build, as ratios against the bare floor measured in one run.

Each figure is a function in a module of its own that returns one flat object. Nothing here
asserts: a bench tells, tests decide.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Sequence
from typing import Any

from labkit import paths, versions
from labkit.bench.picture import svg

FIGURES = (
    "startup",
    "throughput",
    "verdict",
    "status",
    "memory",
    "swimlane",
    "labs",
    "cuts",
    "preflight",
    "views",
    "incident",
)
NIGHTLY = ("chaos",)
"""Measured only when they are named."""
RUNS = 5


def main(argv: Sequence[str] | None = None) -> int:
    """Measure the named figures and print a table, or one JSON object."""
    parser = argparse.ArgumentParser(prog="./lab bench", description=__doc__)
    parser.add_argument("name", nargs="*", help=f"of: {', '.join(FIGURES)}; or {NIGHTLY[0]}")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--runs", type=int, default=RUNS, help="runs a median is taken of")
    parser.add_argument("--cycles", type=int, default=60, help="of chaos: how many")
    parser.add_argument("--seed", type=int, default=0, help="of chaos: the first one")
    options = parser.parse_args(argv)
    known = (*FIGURES, *NIGHTLY)
    wrong = [n for n in options.name if n not in known]
    if wrong:
        parser.error(f"no figure named {', '.join(wrong)}; there are: {', '.join(known)}")
    if options.runs < 1:
        parser.error(f"--runs {options.runs}: a median needs at least one run")
    if options.cycles < 1:
        parser.error(f"--cycles {options.cycles}: nothing would be played")
    found: dict[str, Any] = {"machine": machine()}
    for name in options.name or FIGURES:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        measure: Callable[..., dict[str, Any]] = importlib.import_module(
            f"labkit.bench.{name}"
        ).measure
        given = [options.cycles, options.seed] if name in NIGHTLY else [options.runs]
        found[name] = measure(*given)
    if options.json:
        print(json.dumps(found))
    else:
        print(table(found))
    (paths.state() / "bench.json").write_text(json.dumps(found, indent=1), "utf-8")
    (paths.state() / "bench.svg").write_text(svg(found), "utf-8")
    print(f"kept in {paths.state() / 'bench.json'} and bench.svg", file=sys.stderr)
    return 0


def machine() -> dict[str, Any]:
    """Say what the figures were measured on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cores": cores,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "dapr": versions.DAPR_RUNTIME,
        "load_before": round(os.getloadavg()[0], 2),
    }


def median(values: Sequence[float]) -> float:
    """Return the median, rounded to three digits after the point."""
    return round(statistics.median(values), 3)


def table(found: dict[str, Any]) -> str:
    """Render all figures as text."""
    lines = []
    for name, figures in found.items():
        lines.append(name)
        lines += [f"  {key:<28} {value}" for key, value in figures.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
