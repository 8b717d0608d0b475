"""Which span belongs to which bar of a swimlane.

Both name the instance, and the number of the step in its history, so no guess is needed. After
``continue_as_new`` the numbers begin again: spans of an earlier history have the same ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from labkit.history import ENDED, RunHistory, Step
from labkit.tracing import Span, Trace

Kind = Literal["workflow", "activity", "timer"]


@dataclass(frozen=True)
class Bar:
    """A bar of the swimlane, as a trace knows it.

    Attributes:
        app_id: the app that did the work.
        number: of the step in the history of ``instance_id``; None for the workflow itself.
        ended: whether it has ended: a span is reported at the end of what it stands for.
    """

    kind: Kind
    name: str
    app_id: str
    instance_id: str
    number: int | None
    ended: bool

    def is_of(self, span: Span) -> bool:
        """Whether a span stands for this bar."""
        own = (self.kind, self.instance_id, self.number)
        return own == (span.kind, span.instance_id, span.task_id)

    def __str__(self) -> str:
        return f"{self.name} on {self.app_id}"


def bars(history: RunHistory) -> Iterator[Bar]:
    """Yield the workflows, activities and fired timers of a run, and those of its children."""
    for run in history.walk():
        ended = run.status in ENDED
        yield Bar("workflow", run.name, run.app_id, run.instance_id, None, ended)
        for step in run.own_steps():
            if step.kind == "activity" or (step.kind == "timer" and step.ended):
                yield _of_step(step)


def _of_step(step: Step) -> Bar:
    kind: Kind = "timer" if step.kind == "timer" else "activity"
    name = step.name if kind == "activity" else "timer"
    return Bar(kind, name, step.app_id, step.instance_id, step.number, step.ended is not None)


def without_span(trace: Trace, known: Iterable[Bar]) -> list[Bar]:
    """Return the bars for which there is no span.

    What a workflow sent when it continued as new stands for a history that is gone, and for no bar.
    """
    own = (s for s in trace if s.status != "CONTINUED_AS_NEW")
    found = {(s.kind, s.instance_id, s.task_id) for s in own}
    return [b for b in known if (b.kind, b.instance_id, b.number) not in found]
