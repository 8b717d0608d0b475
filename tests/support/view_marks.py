"""What each view of a run shows of a fault: rules that are the same for all break labs.

A mark is something in a view that should not be there: a failure, something that has not ended, or
is missing, or came twice. Of a workflow that fails, or waits, because of one of its steps, only the
innermost is a mark. What the whole system shows, too, in the same scenario, tells nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from labkit.history import UNDER_WAY, RunHistory, Step
from labkit.swimlane import Swimlane
from labkit.telemetry import RunLogs, RunMetrics, Waterfall, bars
from labkit.telemetry.loglines import LOUD
from labkit.tracing import Trace

VIEWS = ("swimlane", "trace", "metrics", "logs")
GOOD = ("COMPLETED", "CONTINUED_AS_NEW")
Asked = Sequence[Mapping[str, Any]]
"""The views of each run of a scenario; a text says why there is no view."""


class Mark(NamedTuple):
    """Something that should not be there, and at which app and step; of a line of a log its text.

    ``places`` are apps and parts of the control plane that a line of a log names.
    """

    what: str
    app: str
    step: str
    places: tuple[str, ...] = ()


def marks(asked: Asked, view: str, names: Iterable[str] = ()) -> set[Mark] | None:
    """Return the marks in one view of some runs; None where no run has this view.

    Args:
        names: what a line of a log can name: the apps, and the parts of the control plane.
    """
    shown = [run[view] for run in asked if not isinstance(run[view], str)]
    if not shown:
        return None
    if view == "logs":
        return {m for one in shown for m in of_logs(one, tuple(names))}
    return {m for one in shown for m in RULES[view](one)}


def of_swimlane(view: Swimlane) -> Iterator[Mark]:
    """Bars that failed, that are open, or that were cut off; apps that were down."""
    yield from _of_run(view.history, view)
    yield from (Mark("down", d.app_id, d.part) for d in view._account.down)
    for run in view.history.walk():
        yield from (Mark("unknown", m.app_id, m.instance_id) for m in run.missing)


def _of_run(run: RunHistory, view: Swimlane) -> Iterator[Mark]:
    below = [m for child in run.children for m in _of_run(child, view)]
    read = {child.instance_id for child in run.children}
    for step in run.own_steps():
        if step.child_instance_id not in read:
            below += _of_step(step, run, view)
    yield from below
    status = "open" if run.status in ("PENDING", "RUNNING") else run.status.lower()
    if status != "completed" and status not in {m.what for m in below}:
        yield Mark(status, run.app_id, run.name)


def _of_step(step: Step, run: RunHistory, view: Swimlane) -> Iterator[Mark]:
    if step.kind == "event" or (step.kind == "timer" and run.status not in UNDER_WAY):
        return  # a timer that lost a race does not fire
    endings = {span.outcome for span in view._account.spans(step)}
    words = {"failed": "failed", "running": "open", "cut": "cut off"}
    name = step.name if step.kind != "timer" else "timer"
    yield from (Mark(words[e], step.app_id, name) for e in endings if e in words)


def of_trace(view: Waterfall) -> Iterator[Mark]:
    """Spans with an error, without their parent or twice, and bars without a span."""
    trace, histories = view.spans, list(view.history.walk()) if view.history else []
    caller = {c.instance_id: h.instance_id for h in histories for c in h.children}
    without = {b.instance_id for b in view.missing if b.kind == "workflow"}
    for span in trace.roots[1:]:
        own = span.instance_id
        if (caller.get(own) if span.kind == "workflow" else own) not in without:
            what = "another trace" if span.kind == "create" else "torn off"
            yield Mark(what, span.service, span.step)
    seen = set()
    for span in trace:
        failed = span.failed or span.status not in ("", *GOOD)
        if failed and not any(s.failed for s in trace.children(span)):
            yield Mark("failed", span.service, span.step)
        key = (span.kind, span.instance_id, span.task_id, span.trace_id)
        if key in seen:
            yield Mark("twice", span.service, span.step)
        seen.add(key)
    outer = {b.instance_id for b in view.missing if b.kind != "workflow"}
    outer |= {caller[id] for id in without if id in caller}
    for bar in view.missing:
        if bar.kind != "workflow" or bar.instance_id not in outer:
            yield Mark("no span" if bar.ended else "open", bar.app_id, bar.name)


def of_metrics(view: RunMetrics) -> Iterator[Mark]:
    """Steps that were counted as anything but a success, and those that were not counted."""
    found = {
        (kind, Mark(what if count else "not counted", row.app_id, row.name))
        for row in view.rows
        for kind in [row.kind]
        for what, count in (row.executions or {"": 0}).items()
        if what != "success"
    }
    inner = {m.what for kind, m in found if kind == "activity"}
    yield from (m for kind, m in found if kind == "activity" or m.what not in inner)


def of_logs(view: RunLogs, names: Sequence[str]) -> Iterator[Mark]:
    """Warnings and errors, with or without the instance ID; ends that are missing or no success.

    What differs in each run, such as numbers and IDs, is left out of the text of a line.
    """
    begun: dict[str, str] = {}
    for line in view:
        instance_id, _, said = line.text.partition(": ")
        if line.level in LOUD:
            text = line.text.partition("{")[0]  # without what it carries
            named = [n for n in names if re.search(rf"(?<![\w-]){n}(?![\w-])", text)]
            yield Mark(line.level, line.app_id, VARIES.sub("#", text), tuple(named))
        elif BEGUN.match(said):
            begun[instance_id] = line.app_id
        elif ended := END.match(said):
            begun.pop(instance_id, None)
            if ended[1] not in GOOD:
                yield Mark(ended[1].lower(), line.app_id, "")
    yield from (Mark("open", app_id, "") for app_id in begun.values())


BEGUN = re.compile(r"starting new '.*' instance with ID")
VARIES = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]*\d[0-9a-f]*")
END = re.compile(r"'.*' completed with a (\w+) status")
RULES: Mapping[str, Any] = {"swimlane": of_swimlane, "trace": of_trace, "metrics": of_metrics}


def gaps(views: Mapping[str, Any]) -> Iterator[str]:
    """Yield what one view has of a run and another has not; nothing where a view is not there.

    These are bars that have ended without a span, of their app and below the workflow that called
    them, and failures without a counter of their app. What a sidecar that went down had not sent,
    or had counted, is gone, and no gap.
    """
    lane, traced, counted = views["swimlane"], views["trace"], views["metrics"]
    if isinstance(lane, str):
        return
    lost = {d.app_id for d in lane._account.down if d.part != "worker"}
    if not isinstance(traced, str):
        yield from _without_span(lane.history, traced.spans, lost)
    failed = [s for s in lane.history.steps() if s.kind == "activity" and s.outcome == "failed"]
    for step in failed:
        if step.app_id not in lost and not counted.of(step.name, step.app_id).executions.get(
            "failed"
        ):
            yield f"{step.name} on {step.app_id} failed and is not counted"


def _without_span(history: RunHistory, trace: Trace, lost: set[str]) -> Iterator[str]:
    caller = {c.instance_id: h.instance_id for h in history.walk() for c in h.children}
    ended = {b.instance_id for b in bars(history) if b.kind == "workflow" and b.ended}
    for bar in bars(history):
        # After continue_as_new the numbers begin again: steps of earlier histories have the same.
        own = [s for s in trace if bar.is_of(s) and s.service == bar.app_id]
        above = caller.get(bar.instance_id) if bar.kind == "workflow" else bar.instance_id
        parents = {p.instance_id for s in own if (p := trace.parent(s)) and p.kind == "workflow"}
        if bar.ended and not own and bar.app_id not in lost:
            yield f"{bar} has no span of this app"
        elif own and above in ended and above not in parents:
            yield f"the span of {bar} is not below its workflow"
