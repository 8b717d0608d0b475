"""Kills of everything at any moment, cycle after cycle: does all that must hold still hold?

One figure of ``./lab bench`` and the test of ``tests/chaos`` alike. A cycle is drawn from its seed,
so one that went wrong can be played again: ``./lab bench chaos --seed N --cycles 1``. It is not
among the figures that are measured by default: a night is right for a thousand cycles.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from labkit import paths
from labkit.bench.chaos.cycle import Report, play
from labkit.bench.chaos.plan import draw

CYCLES = 60
AT_ONCE = 4
"""Much of a cycle is waiting: a scheduler that was killed keeps its leadership for 20 s."""
SAY_EVERY = 20


def measure(cycles: int = CYCLES, seed: int = 0) -> dict[str, Any]:
    """Play cycles; return how many there were of each thing, and the seeds that went wrong."""
    began, reports = time.monotonic(), []
    log = paths.state() / "chaos.jsonl"
    for report in run(range(seed, seed + cycles)):
        reports.append(report)
        with log.open("a", encoding="utf-8") as out:
            out.write(json.dumps(asdict(report)) + "\n")
        if report.problems or len(reports) % SAY_EVERY == 0:
            print(_line(reports, cycles), *report.problems, sep="\n  ", file=sys.stderr)
    found = {
        name: sum(getattr(r, name) for r in reports)
        for name in ("labs", "kills", "workflows", "notes", "twice")
    }
    return {
        "cycles": len(reports),
        **found,
        "wrong": ", ".join(str(r.seed) for r in reports if r.problems) or "none",
        "slowest_wait_s": max((r.slowest for r in reports), default=0.0),
        "seconds": round(time.monotonic() - began),
        "each_in": str(log),
    }


def run(seeds: Iterable[int], at_once: int = AT_ONCE) -> Iterable[Report]:
    """Play the cycles of these seeds, some side by side; yield each report when it is there."""
    with ThreadPoolExecutor(at_once) as pool:
        yield from pool.map(play, map(draw, seeds))


def _line(reports: list[Report], cycles: int) -> str:
    newest, wrong = reports[-1], sum(bool(r.problems) for r in reports)
    return f"{len(reports)} of {cycles}, {wrong} wrong; {newest.plan}, {newest.seconds} s"
