"""Labs side by side on one host: how long until all are up, and what they take of memory."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil

from labkit.bench import median
from labkit.bench.memory import pss_mib
from labkit.labs.lab import Lab
from labkit.processes import lifeline

APPS = ("task-orchestrator-service", "notification-service", "audit-service")
COUNTS = (1, 2, 4)


def measure(runs: int) -> dict[str, Any]:
    """Return seconds until N labs of three apps are up together, and the PSS of each in MiB."""
    found: dict[str, Any] = {}
    for count in COUNTS:
        rounds = [_together(count) for _ in range(max(1, runs // 2))]
        found[f"up_s_{count}"] = median([seconds for seconds, _ in rounds])
        found[f"pss_mib_per_lab_{count}"] = median([mib for _, mib in rounds])
    return found


def _together(count: int) -> tuple[float, float]:
    labs = [Lab() for _ in range(count)]
    try:
        began = time.monotonic()
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(lambda lab: lab.up(*APPS, announce=False, within=120), labs))
        seconds = time.monotonic() - began
        pids = [pid for lab in labs for pid in lifeline.marked(lab.folder.name)]
        return seconds, sum(pss_mib(psutil.Process(pid)) for pid in pids) / count
    finally:
        for lab in labs:
            lab.down()
