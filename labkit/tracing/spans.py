"""Spans of workflows, as Dapr's sidecars report them: records, and the trace of one instance.

Measured on 1.18.1 with ``samplingRate: "1"``: a workflow over several apps is one trace. Its spans
are named ``create_orchestration||NAME``, ``orchestration||NAME``, ``activity||NAME`` and ``timer``;
each comes from the app that did the work, and its parent is the call. All other spans are of single
calls between SDK, sidecar and actors (``/TaskHubSidecarService/Hello``, ``CallActor/…``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

Kind = Literal["create", "workflow", "activity", "timer", "other"]
KINDS: Mapping[str, Kind] = {
    "create_orchestration": "create",
    "orchestration": "workflow",
    "activity": "activity",
    "timer": "timer",
}
# Attributes that durabletask-go v0.12.1 gives to spans (api/helpers/tracing.go).
NAME = "durabletask.task.name"
INSTANCE = "durabletask.task.instance_id"
TASK = "durabletask.task.task_id"
STATUS = "durabletask.runtime_status"


@dataclass(frozen=True)
class Span:
    """One span.

    Attributes:
        trace_id: 32 hexadecimal digits.
        span_id: 16 hexadecimal digits.
        parent_id: of the span that it belongs to; "" when it has none.
        service: the app ID of the sidecar that reported it.
        name: as reported.
        start: seconds since the epoch.
        seconds: how long it took.
        tags: attributes, all as text.
        failed: whether it reports an error.
    """

    trace_id: str
    span_id: str
    parent_id: str
    service: str
    name: str
    start: float
    seconds: float
    tags: Mapping[str, str] = field(default_factory=dict)
    failed: bool = False

    @property
    def kind(self) -> Kind:
        """What it is about; "other" is a single call, which is no step of a workflow."""
        head = self.name.partition("||")[0]
        return KINDS.get(head, "other") if self.instance_id else "other"

    @property
    def step(self) -> str:
        """The name of the workflow or activity, "timer" of a timer; "" for other spans.

        Zipkin's form has the names of spans in small letters, so the attribute is asked first.
        """
        if self.kind in ("other", "timer"):
            return "timer" if self.kind == "timer" else ""
        return self.tags.get(NAME) or self.name.partition("||")[2]

    @property
    def instance_id(self) -> str:
        """The instance ID of its workflow; "" when it says none."""
        return self.tags.get(INSTANCE, "")

    @property
    def task_id(self) -> int | None:
        """The number of the step in the history of its workflow; None for a whole workflow."""
        number = self.tags.get(TASK, "")
        return int(number) if number.lstrip("-").isdigit() else None

    @property
    def status(self) -> str:
        """The status with which its workflow ended; "" when it says none."""
        return self.tags.get(STATUS, "")

    @property
    def end(self) -> float:
        """When it ended, in seconds since the epoch."""
        return self.start + self.seconds

    def to_json(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)


class Trace(tuple[Span, ...]):
    """The steps of a workflow and of its children as spans, by their start.

    Spans of single calls are left out; what hangs below one of them hangs below the nearest step.
    """

    def __new__(cls, spans: Iterable[Span] = ()) -> Trace:
        """Sort the spans of steps by their start, and attach them to their nearest step."""
        everything = list(spans)
        trace = super().__new__(cls, sorted(_steps(everything), key=lambda s: (s.start, s.name)))
        trace._parents = _parents(trace, {s.span_id: s for s in everything})
        return trace

    _parents: dict[str, str]

    @cached_property
    def _by_id(self) -> dict[str, Span]:
        return {s.span_id: s for s in self}

    @cached_property
    def _by_parent(self) -> dict[str, list[Span]]:
        found: dict[str, list[Span]] = {}
        for span in self:
            found.setdefault(self._parents[span.span_id], []).append(span)
        return found

    def walk(self) -> Iterator[tuple[int, Span]]:
        """Yield each span with its depth in the tree, parents first."""
        waiting = [(0, s) for s in reversed(self.roots)]
        while waiting:
            depth, span = waiting.pop()
            yield depth, span
            waiting += [(depth + 1, s) for s in reversed(self.children(span))]

    @property
    def roots(self) -> list[Span]:
        """The spans whose parent is not here; a trace that is whole has one."""
        return self._by_parent.get("", [])

    @property
    def trace_ids(self) -> list[str]:
        """The traces that these spans belong to; a run that is whole has one."""
        return list(dict.fromkeys(s.trace_id for s in self))

    def parent(self, span: Span) -> Span | None:
        """Return the step to which a span belongs; None for a root."""
        return self._by_id.get(self._parents[span.span_id])

    def children(self, span: Span) -> list[Span]:
        """Return the spans that belong to this one."""
        return self._by_parent.get(span.span_id, [])


def _steps(spans: Iterable[Span]) -> Iterator[Span]:
    seen: set[tuple[str, float]] = set()
    for span in spans:
        if span.kind != "other" and (span.span_id, span.start) not in seen:
            seen.add((span.span_id, span.start))
            yield span


def _parents(steps: Iterable[Span], known: Mapping[str, Span]) -> dict[str, str]:
    """Return the span ID of the nearest step above each step; "" where there is none."""
    steps = list(steps)
    ids, found = {s.span_id for s in steps}, {}
    for step in steps:
        above, seen = step.parent_id, {step.span_id}
        while above not in ids and above in known and above not in seen:
            seen.add(above)
            above = known[above].parent_id
        found[step.span_id] = above if above in ids and above != step.span_id else ""
    return found


def read(file: Path) -> list[Span]:
    """Return the spans of a file, oldest first; none of a line that is torn or not ours."""
    if not file.exists():
        return []
    found = []
    for line in file.read_text("utf-8", "replace").splitlines():
        try:
            found.append(Span(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return sorted(found, key=lambda s: s.start)


def of_instance(spans: Iterable[Span], instance_ids: str | Iterable[str]) -> Trace:
    """Return the steps of these instances, and what else is in the traces in which they ran.

    Args:
        instance_ids: of a workflow and, where it has them, of its children: they find the parts of
            a trace that is torn.
    """
    wanted = {instance_ids} if isinstance(instance_ids, str) else set(instance_ids)
    spans = list(spans)
    traces = {s.trace_id for s in spans if s.instance_id in wanted and s.kind != "other"}
    return Trace(s for s in spans if s.trace_id in traces)
