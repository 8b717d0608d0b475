"""A run that was recorded with all its views, for a machine that cannot make them.

What it shows is marked as recorded, with the version of the runtime that made it.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from labkit.history import HistoryEvent, RunHistory, UnknownInstance, from_json, join, to_json
from labkit.prometheus import Sample
from labkit.swimlane import Swimlane
from labkit.telemetry.loglines import LogLine, RunLogs
from labkit.telemetry.metrics import RunMetrics
from labkit.telemetry.views import Shown, Views
from labkit.telemetry.waterfall import Waterfall
from labkit.tracing import Span, of_instance

FOLDER = Path(__file__).with_name("runs")


class RecordedRun:
    """The views of a run of another day.

    Args:
        told: what :func:`record` has returned.
    """

    def __init__(self, told: dict[str, Any]) -> None:
        self._told = told
        app_id, instance_id = told["root"]
        self.history: RunHistory = join(app_id, instance_id, self._fetch)

    @property
    def mark(self) -> str:
        """What says that this is no run of now."""
        return f"recorded on Dapr {self._told['runtime']}, not run here"

    def swimlane(self) -> Swimlane:
        """Return the picture of the run."""
        return Swimlane(self.history)

    def trace(self) -> Waterfall:
        """Return its spans."""
        ids = [run.instance_id for run in self.history.walk()]
        return Waterfall(of_instance((Span(**s) for s in self._told["spans"]), ids), self.history)

    def metrics(self) -> RunMetrics:
        """Return what was counted."""
        return RunMetrics(self.history, [Sample(**s) for s in self._told["counted"]])

    def logs(self) -> RunLogs:
        """Return its lines in the logs."""
        return RunLogs(LogLine(**line) for line in self._told["logs"])

    def views(self) -> Views:
        """Return all four, with the mark."""
        shown: dict[str, Shown] = {
            "swimlane": self.swimlane(),
            "trace": self.trace(),
            "metrics": self.metrics(),
            "logs": self.logs(),
        }
        return Views(shown, self.mark)

    def _fetch(self, app_id: str, instance_id: str) -> list[HistoryEvent]:
        rows = self._told["histories"].get(f"{app_id}/{instance_id}")
        if rows is None:
            raise UnknownInstance(
                f"the recording has no history of {instance_id}",
                asked=f"the history of {instance_id} on {app_id}",
                found=", ".join(self._told["histories"]),
                look_at="the recording",
                fix="record the run again",
            )
        return from_json(rows)


def record(
    runtime: str,
    history: RunHistory,
    spans: Iterable[Span],
    counted: Iterable[Sample],
    logs: Iterable[LogLine],
) -> dict[str, Any]:
    """Return a run as plain values."""
    return {
        "runtime": runtime,
        "root": [history.app_id, history.instance_id],
        "histories": {f"{h.app_id}/{h.instance_id}": to_json(h.events) for h in history.walk()},
        "spans": [asdict(s) for s in spans],
        "counted": [asdict(s) for s in counted],
        "logs": [asdict(line) for line in logs],
    }


def load(name: str) -> RecordedRun:
    """Return a recording of the course.

    Raises:
        OSError: there is none of this name.
    """
    with gzip.open(FOLDER / f"{name}.json.gz", "rt", encoding="utf-8") as file:
        return RecordedRun(json.load(file))


def save(told: dict[str, Any], file: Path) -> None:
    """Write a recording; the same run gives the same bytes."""
    text = json.dumps(told, ensure_ascii=False, sort_keys=True).encode()
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(gzip.compress(text, mtime=0))
