"""What the counters of the sidecars say about the steps of a run.

Dapr's metrics know names, apps and outcomes, and no instance IDs: they are joined to a run by the
names of its steps and count all instances, unless the values of before the run are known, too.
Workflows are counted by the sidecar of their app, activities by that of the app that was called
(pkg/diagnostics/workflow_monitoring.go, v1.18.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import Any

from labkit.history import RunHistory
from labkit.prometheus import Sample

PREFIX = "dapr_runtime_workflow_"
EXECUTIONS = {"activity": f"{PREFIX}activity_execution", "workflow": f"{PREFIX}execution"}
STATUSES = ("success", "failed", "recoverable", "terminated")


@dataclass(frozen=True)
class Counted:
    """What was counted of one step: executions by their status, and how long they took.

    Attributes:
        milliseconds: the mean of all executions; None when none was counted.
    """

    app_id: str
    kind: str
    name: str
    executions: Mapping[str, int] = field(default_factory=dict)
    milliseconds: float | None = None

    @property
    def words(self) -> str:
        """The numbers of executions by status."""
        known = [*STATUSES, *sorted(set(self.executions) - set(STATUSES))]
        said = [f"{self.executions[s]} {s}" for s in known if self.executions.get(s)]
        return ", ".join(said) or "none counted"


class RunMetrics:
    """The counters of the steps of one run.

    Args:
        history: the run.
        now: the values after it.
        before: the values before it; None when they are not known, and all instances count.
    """

    def __init__(
        self, history: RunHistory, now: Iterable[Sample], before: Iterable[Sample] | None = None
    ) -> None:
        self.history = history
        self.since_the_start = before is None
        self._values = _values(now)
        for key, value in _values(before or ()).items():
            # A sidecar that was started again counts from 0.
            self._values[key] = self._values.get(key, 0.0) - value
            if self._values[key] < 0:
                self._values[key] += value

    @cached_property
    def rows(self) -> list[Counted]:
        """What was counted, in the order in which the steps began."""
        return [self._counted(*step) for step in _steps(self.history)]

    def of(self, name: str, app_id: str | None = None) -> Counted:
        """Return what was counted of one step.

        Raises:
            KeyError: the run has no such step.
        """
        for row in self.rows:
            if row.name == name and app_id in (None, row.app_id):
                return row
        raise KeyError(f"the run has no step {name} on {app_id or 'any app'}")

    @property
    def late(self) -> list[Counted]:
        """The steps that have ended and are not counted yet: a counter follows its step."""
        ended = {
            (r.app_id, r.name) for r in self.history.walk() if r.status in ("COMPLETED", "FAILED")
        }
        ended |= {
            (s.app_id, s.name) for s in self.history.steps() if s.kind == "activity" and s.ended
        }
        return [r for r in self.rows if (r.app_id, r.name) in ended and not r.executions]

    def _counted(self, app_id: str, kind: str, name: str) -> Counted:
        metric = EXECUTIONS[kind]
        by_status: dict[str, int] = {}
        for status in {k[3] for k in self._values if k[:3] == (f"{metric}_count", app_id, name)}:
            by_status[status] = round(self._values[f"{metric}_count", app_id, name, status])
        total = self._sum(f"{metric}_latency_count", app_id, name)
        took = self._sum(f"{metric}_latency_sum", app_id, name)
        return Counted(app_id, kind, name, by_status, took / total if total > 0 else None)

    def _sum(self, metric: str, app_id: str, name: str) -> float:
        return sum(v for k, v in self._values.items() if k[:3] == (metric, app_id, name))

    @property
    def scope(self) -> str:
        """Which executions are counted: metrics know no instance IDs."""
        if self.since_the_start:
            return "all instances since each sidecar started"
        return "all instances during the time of this run"

    @property
    def text(self) -> str:
        """A table with times, for reading and for screen readers."""
        rows = [(r.app_id, r.name, r.words, _took(r)) for r in self.rows]
        table = [("app", "step", "executions", "mean"), *rows]
        widths = [max(len(r[i]) for r in table) for i in range(4)]
        lines = ("  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)) for r in table)
        return "\n".join([f"counted: {self.scope}", *(line.rstrip() for line in lines)])

    @property
    def summary(self) -> str:
        """The counts in words that are the same in every run of its kind."""
        rows = [f"  {r.name} on {r.app_id}: {r.words}" for r in self.rows]
        return "\n".join([f"counted: {self.scope}", *rows])

    @property
    def html(self) -> str:
        """The table, as HTML."""
        rows = [(r.app_id, r.name, r.words, _took(r)) for r in self.rows]
        return table_of(f"counted: {self.scope}", ("app", "step", "executions", "mean"), rows)

    def __repr__(self) -> str:
        return self.summary

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.summary}


def table_of(caption: str, head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table as HTML, its texts to the left."""
    left = 'style="text-align:left;vertical-align:top;padding-right:1em"'
    first = "".join(f"<th {left}>{escape(c)}</th>" for c in head)
    body = "".join(
        "<tr>" + "".join(f"<td {left}>{escape(c)}</td>" for c in row) + "</tr>" for row in rows
    )
    return f"<table><caption {left}>{escape(caption)}</caption><tr>{first}</tr>{body}</table>"


def _took(row: Counted) -> str:
    return f"{row.milliseconds:.0f} ms" if row.milliseconds is not None else ""


def _steps(history: RunHistory) -> Iterator[tuple[str, str, str]]:
    """The app, kind and name of each step, once, in the order in which they began."""
    found = [(r.events[0].time, r.app_id, "workflow", r.name) for r in history.walk()]
    found += [
        (s.began, s.app_id, "activity", s.name) for s in history.steps() if s.kind == "activity"
    ]
    yield from dict.fromkeys(row[1:] for row in sorted(found, key=lambda r: r[0]))


def _values(found: Iterable[Sample]) -> dict[tuple[str, str, str, str], float]:
    values: dict[tuple[str, str, str, str], float] = {}
    for sample in found:
        labels = sample.labels
        name = labels.get("activity_name") or labels.get("workflow_name") or ""
        if sample.name.startswith(PREFIX) and name and "le" not in labels:
            key = (sample.name, labels.get("app_id", ""), name, labels.get("status", ""))
            values[key] = values.get(key, 0.0) + sample.value
    return values
