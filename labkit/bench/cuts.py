"""Cuts of the saga of the course: what one takes, side by side, against one run without a cut."""

from __future__ import annotations

import json
import statistics
import time
from typing import Any

from labkit import paths
from labkit.bench import median
from labkit.cuts import Study
from labkit.cuts.plan import VICTIMS, sample
from labkit.cuts.slots import most_at_once

CUTS_PER_RUN = 4


def measure(runs: int) -> dict[str, Any]:
    """Return seconds of a run alone and of each cut, their ratio, and how late cuts were made.

    A cut is late by the events that were recorded between its event and itself.
    """
    folder = paths.repo() / "services" / "fulfilment"
    given = json.loads((folder / "order.json").read_text("utf-8"))
    study = Study(folder, "fulfil_order", given, f"{folder / 'invariant.py'}:holds", fresh=True)
    began = time.monotonic()
    study.record()
    alone = time.monotonic() - began
    chosen = sample(study.cuts(list(VICTIMS)), CUTS_PER_RUN * runs, seed=1)
    report = study.run(chosen)
    each = report.seconds / len(chosen)
    late = [result.late for result in report.results.values()]
    return {
        "alone_s": median([alone]),
        "each_s": median([each]),
        "ratio": round(each / alone, 3),
        "cuts": len(chosen),
        "held": report.counts().get("held", 0),
        "at_once": most_at_once(),
        "late_median": statistics.median(late),
        "late_most": max(late),
    }
