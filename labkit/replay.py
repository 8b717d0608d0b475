"""Runs workflow code over a recorded history, turn by turn, as a worker does after a restart.

No activity is run and there is no runtime: results come from the history, and only the decisions
of the workflow function are new. So it shows what replay is, and whether changed code still fits
histories that are under way. What cannot be known from a history raises
:class:`~labkit.history.CannotBeShown` in place of a guess.

Touches private names of the SDK, as :mod:`labkit.turns` does.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import dapr.ext.workflow as wf
from dapr.ext.workflow._durabletask.internal import helpers
from dapr.ext.workflow._durabletask.internal import protos as pb

from labkit.errors import ObservationError
from labkit.history import KINDS, CannotBeShown, HistoryEvent, RunHistory, event_of, status_of
from labkit.turns import Taken, passed_on, patch_mismatch, registry_of, take, version_in

_MODULE = "service_under_replay"
_COUNTS = "ORCHESTRATION_STATUS_"


class NoService(ObservationError):
    """A file that should be a service is not there, or is not one."""

    code = "no-service"


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
    """
    recording = _Recording(list(events), ancestors)
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
        CannotBeShown: as in :func:`replay`.
    """
    recording = _Recording(list(events), ancestors)
    return _taken(recording, registry_of(runtime), *recording.turns[-1])


# --- the recording ---------------------------------------------------------------------------


class _Recording:
    """The events of one instance, as records and as the protocol's events, cut into turns."""

    def __init__(self, events: list[HistoryEvent], ancestors: Sequence[RunHistory]) -> None:
        if refused := [e for e in events if e.kind in KINDS and KINDS[e.kind].replay == "refused"]:
            raise _refused(refused[0])
        self.has_ended = status_of(events) not in ("RUNNING", "SUSPENDED", "STALLED", "PENDING")
        made = [(e, event_of(e)) for e in events]
        self.pairs = [(e, raw) for e, raw in made if KINDS[e.kind].replay != "end"]
        begins = [i for i, (e, _) in enumerate(self.pairs) if e.kind == "workflowStarted"]
        self.turns = list(zip(begins, [*begins[1:], len(self.pairs)], strict=True))
        self.instance_id = events[0].instance_id if events else ""
        decided = (e for e in events if KINDS[e.kind].replay == "decided")
        self.names = {e.event_id: str(e.name or "timer") for e in decided}
        self._events, self._ancestors = events, ancestors
        self.refusal: CannotBeShown | None = None

    def old(self, before: int) -> list[Any]:
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


# --- a turn ----------------------------------------------------------------------------------


def _taken(recording: _Recording, registry: Any, start: int, end: int) -> Turn:
    old = recording.old(start)
    new = recording.new(start, end)
    taken = _take(recording, registry, old, new)
    return _turn_of(taken, recording.answered(end), old, version_in(recording.old(end)))


def _open_steps(recording: _Recording, registry: Any) -> tuple[str | None, str | None]:
    """Return the failure and status when the code asks for other steps than are open.

    To the next turn all of the history is past, so its executor compares these, too.
    """
    old = recording.old(len(recording.pairs))
    clock = helpers.new_workflow_started_event()
    clock.timestamp.CopyFrom(old[-1].timestamp)
    taken = _take(recording, registry, old, [clock])
    turn = _turn_of(taken, (), old, version_in(old))
    return turn.failure, turn.status if turn.failure else None


def _take(recording: _Recording, registry: Any, old: list[Any], new: list[Any]) -> Taken:
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
    status = str(pb.OrchestrationStatus.Name(end.workflowStatus)).removeprefix(_COUNTS)
    output = end.result.value if end.HasField("result") else None
    asks = ("again",) if status == "CONTINUED_AS_NEW" else ("end",)
    return Turn(answered, asks, end.failureDetails.errorMessage or None, status, output)


# --- a service -------------------------------------------------------------------------------


def runtime_of(file: Path) -> wf.WorkflowRuntime:
    """Load a service again and return its ``wfr``; nothing is started.

    Modules beside the file are found as they are when it is run, and are loaded again, too.

    Raises:
        NoService: there is no such Python file, or it has no runtime, or it starts one while it
            is read.
    """
    if not file.is_file() or file.suffix != ".py":
        found = "not a Python file" if file.is_file() else "no such file"
        raise _no_service(file, found, str(file.parent))
    with _beside(file.resolve().parent), _not_started(file):
        module = _loaded(file)
    named = getattr(module, "wfr", None)
    if isinstance(named, wf.WorkflowRuntime):
        return named
    runtimes = {id(v): v for v in vars(module).values() if isinstance(v, wf.WorkflowRuntime)}
    if len(runtimes) != 1:
        found = f"{len(runtimes) or 'no'} WorkflowRuntime at the top level of the file"
        raise _no_service(file, found, str(file))
    return next(iter(runtimes.values()))


def _loaded(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(_MODULE, file)
    assert spec is not None, "the file ends in .py"
    assert spec.loader is not None, "it is a plain file"
    module = importlib.util.module_from_spec(spec)
    sys.modules[_MODULE] = module  # dataclasses and annotations look for their module there
    spec.loader.exec_module(module)
    return module


@contextmanager
def _beside(folder: Path) -> Iterator[None]:
    """Find modules in ``folder`` first; forget them afterwards, as another service has its own."""
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before - {_MODULE}:
            if str(getattr(sys.modules[name], "__file__", None) or "").startswith(f"{folder}/"):
                del sys.modules[name]


@contextmanager
def _not_started(file: Path) -> Iterator[None]:
    def refuse(self: object) -> None:
        raise _no_service(file, "it starts its worker while it is read", f"wfr.start() in {file}")

    start = wf.WorkflowRuntime.start
    wf.WorkflowRuntime.start = refuse  # type: ignore[method-assign] # for the time of the load
    try:
        yield
    finally:
        wf.WorkflowRuntime.start = start  # type: ignore[method-assign]


# --- errors ----------------------------------------------------------------------------------


def _no_service(file: Path, found: str, look_at: str) -> NoService:
    fix = 'give the path of a main.py, e.g. paths.repo() / "services" / APP_ID / "main.py"'
    if "starts" in found:
        fix = 'put what starts it below: if __name__ == "__main__":'
    elif "WorkflowRuntime" in found:
        fix = "name the one that has the workflows wfr"
    return NoService(
        "there is no service to replay with",
        asked=f"the WorkflowRuntime of the Python file {file}",
        found=found,
        look_at=look_at,
        fix=fix,
    )


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
