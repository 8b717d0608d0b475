"""Runs workflow code over a recorded history, turn by turn, as a worker does after a restart.

No activity is run and there is no runtime: results come from the history, and only the decisions
of the workflow function are new. So it shows what replay is, and whether changed code still fits
histories that are under way. What cannot be known from a history raises
:class:`~labkit.history.CannotBeShown` in place of a guess.

Touches private names of the SDK, as :mod:`labkit.turns` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import dapr.ext.workflow as wf
from dapr.ext.workflow._durabletask.internal import helpers
from dapr.ext.workflow._durabletask.internal import protos as pb

from labkit.history import HistoryEvent, RunHistory
from labkit.replay.loading import NoService, runtime_of
from labkit.replay.recording import Recording, no_turn
from labkit.turns import EndlessTurn, Taken, patch_mismatch, registry_of, take, version_in

__all__ = ["EndlessTurn", "NoService", "Turn", "replay", "restarted", "runtime_of"]

_STATUS = "ORCHESTRATION_STATUS_"


@dataclass(frozen=True)
class Turn:
    """One run of a workflow function from its start, over a recorded history.

    Attributes:
        answered: the steps whose results the history handed to it, in the order they ended.
        asks: the steps that it asks for beyond that; "end" when it returned or failed, "again"
            when it continues as new.
        failure: the message when it ended with a failure, e.g. because code and history differ,
            or the reason when the runtime would hold it as STALLED.
        status: how it ended, e.g. COMPLETED, FAILED, CONTINUED_AS_NEW or STALLED; else None.
        output: the JSON text that it returned, or continues with.
    """

    answered: tuple[str, ...]
    asks: tuple[str, ...]
    failure: str | None = None
    status: str | None = None
    output: str | None = None


def replay(
    runtime: wf.WorkflowRuntime,
    events: Iterable[HistoryEvent],
    ancestors: Sequence[RunHistory] = (),
) -> list[Turn]:
    """Run a workflow function over a recorded history, once for each turn that the history holds.

    Every turn runs the version that the history has for it, and takes the patches that the
    history has: that is what a worker does with turns of the past. Of an instance that has not
    ended, the last turn also says whether the code fits the steps that are still open.

    Args:
        runtime: where the workflow is registered; not started.
        events: of one instance, as ``lab.run(id).history.events`` gives them.
        ancestors: of a child, the histories of its parent, of the parent's parent and so on; only
            needed when the code asks for propagated history, which the child's own does not hold.

    Raises:
        CannotBeShown: the history or the code needs something that a record cannot give.
        EndlessTurn: no worker comes back from one of its turns.
    """
    recording = Recording(list(events), ancestors)
    registry = registry_of(runtime)
    turns: list[Turn] = []
    for start, end in recording.turns:
        turns.append(_taken(recording, registry, start, end))
        if turns[-1].failure:
            return turns  # a worker would stop here, too
    if turns and turns[-1].status is None and not recording.has_ended:
        problem = _open_steps(recording, registry)
        turns[-1] = replace(turns[-1], failure=problem[0], status=problem[1])
    return turns


def restarted(
    runtime: wf.WorkflowRuntime,
    events: Iterable[HistoryEvent],
    ancestors: Sequence[RunHistory] = (),
) -> Turn:
    """Run a workflow function once, as a process does that has just been started.

    The last turn of the history is new to it and everything before is past, so nothing that an
    earlier turn left in the memory of a process can help.

    Raises:
        CannotBeShown, EndlessTurn: as in :func:`replay`.
    """
    recording = Recording(list(events), ancestors)
    if not recording.turns:
        raise no_turn(recording.instance_id)
    return _taken(recording, registry_of(runtime), *recording.turns[-1])


def _taken(recording: Recording, registry: Any, start: int, end: int) -> Turn:
    old = recording.old(start)
    new = recording.new(start, end)
    taken = _take(recording, registry, old, new)
    return _turn_of(taken, recording.answered(end), old, version_in(recording.old(end)))


def _open_steps(recording: Recording, registry: Any) -> tuple[str | None, str | None]:
    """Return the failure and status when the code asks for other steps than are open.

    To the next turn all of the history is past, so its executor compares these, too.
    """
    old = recording.old(len(recording.pairs))
    clock = helpers.new_workflow_started_event()
    clock.timestamp.CopyFrom(old[-1].timestamp)
    taken = _take(recording, registry, old, [clock])
    turn = _turn_of(taken, (), old, version_in(old))
    return turn.failure, turn.status if turn.failure else None


def _take(recording: Recording, registry: Any, old: list[Any], new: list[Any]) -> Taken:
    handed = recording.propagated
    taken = take(registry, recording.instance_id, old, new, handed, recording.prepare)
    if recording.refusal:
        raise recording.refusal
    return taken


def _turn_of(
    taken: Taken, answered: tuple[str, ...], old: Sequence[Any], version: str = ""
) -> Turn:
    stall = patch_mismatch(old, taken.patches)
    if stall:
        return Turn(answered, (), f"PATCH_MISMATCH: {stall.strip()}", "STALLED")
    asks: list[str] = []
    for action in taken.actions:
        kind = action.WhichOneof("workflowActionType")
        if kind == "workflowVersionNotAvailable":
            missing = f"VERSION_NOT_AVAILABLE: Version not available: {version}"
            return Turn(answered, (), missing, "STALLED")
        if kind == "completeWorkflow":
            return _ended(action.completeWorkflow, answered)
        asks.append(getattr(getattr(action, kind), "name", "") or "timer")
    return Turn(answered, tuple(asks))


def _ended(end: Any, answered: tuple[str, ...]) -> Turn:
    status = str(pb.OrchestrationStatus.Name(end.workflowStatus)).removeprefix(_STATUS)
    output = end.result.value if end.HasField("result") else None
    asks = ("again",) if status == "CONTINUED_AS_NEW" else ("end",)
    return Turn(answered, asks, end.failureDetails.errorMessage or None, status, output)
