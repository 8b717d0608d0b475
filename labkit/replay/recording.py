"""A recorded history as the executor wants it: the protocol's events, cut into turns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labkit.history import (
    KINDS,
    UNDER_WAY,
    CannotBeShown,
    HistoryEvent,
    RunHistory,
    event_of,
    status_of,
)
from labkit.turns import passed_on


class Recording:
    """The events of one instance, as records and as the protocol's events, cut into turns."""

    def __init__(self, events: list[HistoryEvent], ancestors: Sequence[RunHistory]) -> None:
        if refused := [e for e in events if e.kind in KINDS and KINDS[e.kind].replay == "refused"]:
            raise _refused(refused[0])
        self.has_ended = status_of(events) not in UNDER_WAY
        made = [(e, event_of(e)) for e in events]
        self.pairs = [(e, raw) for e, raw in made if KINDS[e.kind].replay != "end"]
        begins = [i for i, (e, _) in enumerate(self.pairs) if e.kind == "workflowStarted"]
        ends = [*begins[1:], len(self.pairs)][: len(begins)]
        self.turns = list(zip(begins, ends, strict=True))
        self.instance_id = events[0].instance_id if events else ""
        decided = (e for e in events if KINDS[e.kind].replay == "decided")
        self.names = {e.event_id: str(e.name or "timer") for e in decided}
        self._events, self._ancestors = events, ancestors
        self.refusal: CannotBeShown | None = None

    def old(self, before: int) -> list[Any]:
        """Return the events before the one at an index."""
        return [raw for _, raw in self.pairs[:before]]

    def new(self, start: int, end: int) -> list[Any]:
        """Return what arrived in a turn: all but what was decided in it.

        A rerun copies a step and its end into one turn, where the step comes first.
        """
        ends = {e.task_id for e, _ in self.pairs[start:end] if e.task_id is not None}
        return [
            raw
            for e, raw in self.pairs[start:end]
            if KINDS[e.kind].replay == "arrives" or e.event_id in ends
        ]

    def answered(self, before: int) -> tuple[str, ...]:
        """Return the names of the steps that have ended before an index, in that order."""
        ended = [e.task_id for e, _ in self.pairs[:before] if e.task_id is not None]
        return tuple(self.names[n] for n in ended if n in self.names)

    def prepare(self, ctx: Any) -> None:
        """Make the context answer from the history, or refuse."""
        ctx._is_patched = lambda name: name in ctx._history_patches
        if self.propagated is None and self._parent:
            ctx.get_propagated_history = self._refuse

    @property
    def propagated(self) -> Any:
        """The history that the parent passed on, rebuilt from the parent's; None without it."""
        return inherited(self._events, self._ancestors) if self._ancestors else None

    @property
    def _parent(self) -> str | None:
        started = (e.parent_instance_id for e in self._events if e.kind == "executionStarted")
        return next(started, None)

    def _refuse(self) -> None:
        if self._ancestors:
            return  # the parent's history says that it passed nothing on
        self.refusal = CannotBeShown(
            "cannot be shown here: the history that the parent passed on",
            asked=f"replay {self.instance_id}, whose code calls get_propagated_history()",
            found=f"a child of {self._parent}; its own history does not hold what was passed on",
            look_at="the docstring of labkit.replay.replay",
            fix="give the parent's history, too: replay(runtime, events, ancestors=[parent])",
        )
        raise self.refusal


def inherited(events: Sequence[HistoryEvent], ancestors: Sequence[RunHistory]) -> Any:
    """Return the protocol's PropagatedHistory that a parent handed to a child; None for nothing.

    Raises:
        CannotBeShown: the call is not in the parent's history, e.g. because it continued as new.
    """
    if not events or not ancestors:
        return None
    parent, instance_id = ancestors[0], events[0].instance_id
    calls = [i for i, e in enumerate(parent.events) if e.child_instance_id == instance_id]
    if not calls:
        raise _no_call(instance_id, parent)
    call = parent.events[calls[-1]]
    received = inherited(parent.events, ancestors[1:])
    until = [event_of(e) for e in parent.events[: calls[-1] + 1]]
    scope = event_of(call).childWorkflowInstanceCreated.historyPropagationScope
    return passed_on(scope, received, parent.app_id, parent.instance_id, until)


def _refused(event: HistoryEvent) -> CannotBeShown:
    return CannotBeShown(
        f"cannot be shown here: an event of the kind {event.kind}",
        asked=f"replay {event.instance_id}, event {event.index}",
        found="the executor of the installed SDK cannot handle this kind",
        look_at="labkit/history/kinds.py",
        fix="replay it with the SDK that its worker has",
    )


def _no_call(instance_id: str, parent: RunHistory) -> CannotBeShown:
    return CannotBeShown(
        "cannot be shown here: the history that the parent passed on",
        asked=f"the call of {instance_id} in the history of {parent.instance_id}",
        found="no such call" + ("; the parent continued as new" if parent.is_continued else ""),
        look_at=f"the {len(parent.events)} events of {parent.instance_id}",
        fix="give the history of the parent that made the call",
    )


def no_turn(instance_id: str) -> CannotBeShown:
    """Return the error for a history in which no turn was written."""
    return CannotBeShown(
        "cannot be shown here: a history without a turn",
        asked=f"replay the last turn of {instance_id or 'an instance'}",
        found="no workflowStarted event",
        look_at="the events that were given",
        fix="give all events of an instance whose worker has begun it",
    )
