"""Every kind of event and every status of the protocol, and what labkit does with each.

A test compares both tables with the SDK's protocol, so that a new SDK which knows more fails it
until somebody has decided. The sources are durabletask-go 0.12.1, which daprd 1.18.1 contains
(``backend/runtimestate/``), and the SDK 1.18.3 (``_durabletask/worker.py``, ``process_event``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from labkit.history.events import HistoryEvent

Replay = Literal["arrives", "decided", "end", "refused"]
"""What replay makes of an event: it *arrives* at workflow code in a turn; it was *decided* in one;
it is the *end*, after which no turn comes; or the SDK's executor *refuses* it."""
Shown = Literal["begins a step", "ends a step", "a step", "a mark", "the bar", "nothing"]


@dataclass(frozen=True)
class Kind:
    """What labkit does with a kind of event.

    Attributes:
        replay: see :data:`Replay`.
        shown: what the picture makes of it: a step or a part of one, a mark in the lane, the
            beginning or end of the workflow's bar, or nothing.
        word: the name of its mark.
    """

    replay: Replay
    shown: Shown
    word: str = ""


KINDS: Mapping[str, Kind] = {
    "workflowStarted": Kind("arrives", "nothing"),  # a turn begins: the clock, version, patches
    "executionStarted": Kind("arrives", "the bar"),
    "executionCompleted": Kind("end", "the bar"),
    "executionTerminated": Kind("arrives", "a mark", "terminated"),
    "taskScheduled": Kind("decided", "begins a step"),
    "taskCompleted": Kind("arrives", "ends a step"),
    "taskFailed": Kind("arrives", "ends a step"),
    "childWorkflowInstanceCreated": Kind("decided", "begins a step"),
    "childWorkflowInstanceCompleted": Kind("arrives", "ends a step"),
    "childWorkflowInstanceFailed": Kind("arrives", "ends a step"),
    "timerCreated": Kind("decided", "begins a step"),
    "timerFired": Kind("arrives", "ends a step"),
    "eventRaised": Kind("arrives", "a step"),
    "executionSuspended": Kind("arrives", "a mark", "suspended"),
    "executionResumed": Kind("arrives", "a mark", "resumed"),
    "executionStalled": Kind("arrives", "a mark", "stalled"),
    # What 1.18.1 does not write for a Python workflow; the SDK 1.18.3 fails a workflow with one.
    "eventSent": Kind("refused", "a mark", "event sent"),
    "detachedWorkflowInstanceCreated": Kind("refused", "a mark", "workflow started"),
    "continueAsNew": Kind("refused", "a mark", "continued as new"),
    "workflowCompleted": Kind("refused", "nothing"),
}

Ended = Literal["ended", "under way", "passing"]
STATUSES: Mapping[str, Ended] = {
    "PENDING": "under way",
    "RUNNING": "under way",
    "SUSPENDED": "under way",
    "STALLED": "under way",
    "COMPLETED": "ended",
    "FAILED": "ended",
    "TERMINATED": "ended",
    "CANCELED": "ended",
    "CONTINUED_AS_NEW": "passing",  # only between two generations of an instance
}
"""Every status of the protocol, and whether an instance has ended with it."""

ENDED = frozenset(status for status, what in STATUSES.items() if what == "ended")
UNDER_WAY = frozenset(STATUSES) - ENDED


def status_of(events: Iterable[HistoryEvent]) -> str:
    """Return the status of an instance, by the rules of the runtime.

    The same as daprd's answer (durabletask-go 0.12.1, ``runtimestate.go``: addEventWithDedup and
    RuntimeStatus): an end counts most, then a stall that no later event has cleared.
    """
    started = suspended = stalled = False
    ended: str | None = None
    for event in events:
        stalled = event.kind == "executionStalled"
        started = started or event.kind == "executionStarted"
        ended = ended or event.status
        if event.kind in ("executionSuspended", "executionResumed"):
            suspended = event.kind == "executionSuspended"
    if started and ended:
        return ended
    if stalled or not started:
        return "STALLED" if stalled else "PENDING"
    return "SUSPENDED" if suspended else "RUNNING"
