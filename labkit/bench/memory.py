"""What a lab takes of memory: proportional set size (PSS) of all its processes, in MiB."""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import psutil

from labkit.labs.lab import Lab
from labkit.processes import lifeline

APPS = ("task-orchestrator-service", "notification-service", "audit-service")
MIB = 1024 * 1024


def measure(runs: int) -> dict[str, Any]:
    """Return ``lab_pss_mib`` of a lab of three apps, and the share of each kind of process."""
    with Lab() as lab:
        with redirect_stdout(StringIO()):
            lab.up(*APPS)
        by_name: dict[str, float] = {}
        for pid in [*lifeline.marked(lab.folder.name), lab.lifeline_pid]:
            process = psutil.Process(pid)
            name = process.name() if pid != lab.lifeline_pid else "lifeline"
            by_name[name] = by_name.get(name, 0) + pss_mib(process)
    rounded = {f"{name}_mib": round(size, 1) for name, size in sorted(by_name.items())}
    return {"lab_pss_mib": round(sum(by_name.values()), 1), **rounded}


def pss_mib(process: psutil.Process) -> float:
    """Return the PSS of a process; its resident size where the system has no PSS (macOS)."""
    full = process.memory_full_info()
    return float(getattr(full, "pss", full.rss)) / MIB
