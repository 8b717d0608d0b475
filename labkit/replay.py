"""Runs workflow code over a recorded history, turn by turn, as a worker does after a restart.

No activity is run and there is no runtime: results come from the history, and only the decisions
of the workflow function are new. So it shows what replay is, and whether changed code still fits
histories that are under way.

Touches private names of the SDK, as :mod:`labkit.inprocess` does.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dapr.ext.workflow as wf
from dapr.ext.workflow._durabletask import worker as sdk
from dapr.ext.workflow._durabletask.internal import helpers
from dapr.ext.workflow._durabletask.internal import protos as pb

from labkit.errors import ObservationError
from labkit.history import HistoryEvent

_WORKER = "_WorkflowRuntime__worker"
_BEGINNINGS = ("taskScheduled", "childWorkflowInstanceCreated", "timerCreated")
_log = logging.getLogger("labkit.replay")


class NoService(ObservationError):
    """A file that should be a service is not there."""

    code = "no-service"


@dataclass(frozen=True)
class Turn:
    """One run of a workflow function from its start, over a recorded history.

    Attributes:
        answered: the steps whose results the history handed to it, in the order they ended.
        asks: the steps that it asks for beyond that; "end" when it returned.
        failure: the message when it ended with a failure, e.g. because code and history differ.
    """

    answered: tuple[str, ...]
    asks: tuple[str, ...]
    failure: str | None = None


def runtime_of(file: Path) -> wf.WorkflowRuntime:
    """Load a service again and return its ``wfr``; nothing is started.

    Raises:
        NoService: there is no such Python file.
    """
    spec = importlib.util.spec_from_file_location("service_under_replay", file)
    if spec is None or spec.loader is None or not file.is_file():
        raise NoService(
            "there is no service to replay with",
            asked=f"the Python file {file}",
            found="no such file" if not file.is_file() else "not a Python file",
            look_at=str(file.parent),
            fix='give the path of a main.py, e.g. paths.repo() / "services" / APP_ID / "main.py"',
        )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    runtime: wf.WorkflowRuntime = module.wfr
    return runtime


def replay(runtime: wf.WorkflowRuntime, events: Iterable[HistoryEvent]) -> list[Turn]:
    """Run a workflow function over a recorded history, once for each turn that the history holds.

    No activity is run: results come from the history. Only the function's own decisions are new.

    Args:
        runtime: where the workflow is registered; not started.
        events: of one instance, as ``lab.run(id).history.events`` gives them.
    """
    recorded = [(e, _EVENTS[e.kind](e)) for e in events if e.kind in _EVENTS]
    starts = [i for i, (e, _) in enumerate(recorded) if e.kind == "workflowStarted"]
    names = {e.event_id: str(e.name or "timer") for e, _ in recorded if e.kind in _BEGINNINGS}
    executor = sdk._OrchestrationExecutor(getattr(runtime, _WORKER)._registry, _log)
    turns = []
    for start, following in zip(starts, [*starts[1:], len(recorded)], strict=True):
        new = [raw for e, raw in recorded[start:following] if e.kind not in _BEGINNINGS]
        result = executor.execute("replay", [raw for _, raw in recorded[:start]], new)
        ended = [e.task_id for e, _ in recorded[:following] if e.task_id is not None]
        turns.append(_turn_of(result.actions, tuple(names[n] for n in ended if n in names)))
        if turns[-1].failure:
            break  # a worker would stop here, too
    return turns


def _turn_of(actions: Iterable[Any], answered: tuple[str, ...]) -> Turn:
    asks, failure = [], None
    for action in actions:
        kind = action.WhichOneof("workflowActionType")
        if kind == "completeWorkflow":
            failure = action.completeWorkflow.failureDetails.errorMessage or None
            asks.append("end")
        else:
            asks.append(getattr(getattr(action, kind), "name", "") or "timer")
    return Turn(answered, tuple(asks), failure)


def _failed(event: Any, body: Any, e: HistoryEvent) -> Any:
    body.taskScheduledId = e.task_id
    if e.failure:
        body.failureDetails.errorType = e.failure.error_type
        body.failureDetails.errorMessage = e.failure.message
    event.eventId = -1
    return event


def _task_failed(e: HistoryEvent) -> Any:
    event = pb.HistoryEvent()
    return _failed(event, event.taskFailed, e)


def _child_failed(e: HistoryEvent) -> Any:
    event = pb.HistoryEvent()
    return _failed(event, event.childWorkflowInstanceFailed, e)


def _timer(event: Any, body: Any, e: HistoryEvent) -> Any:
    event.eventId = e.event_id
    body.fireAt.FromDatetime(e.fire_at)
    if e.kind == "timerFired":
        body.timerId = e.task_id
    return event


def _timer_created(e: HistoryEvent) -> Any:
    event = pb.HistoryEvent()
    return _timer(event, event.timerCreated, e)


def _timer_fired(e: HistoryEvent) -> Any:
    event = pb.HistoryEvent()
    return _timer(event, event.timerFired, e)


# A record back into an event of the protocol; other kinds decide nothing in workflow code.
_EVENTS: Mapping[str, Any] = {
    "workflowStarted": lambda e: helpers.new_workflow_started_event(e.time.replace(tzinfo=None)),
    "executionStarted": lambda e: helpers.new_execution_started_event(
        e.name, e.instance_id, e.input
    ),
    "taskScheduled": lambda e: helpers.new_task_scheduled_event(e.event_id, e.name, e.input),
    "taskCompleted": lambda e: helpers.new_task_completed_event(e.task_id, e.output),
    "taskFailed": _task_failed,
    "childWorkflowInstanceCreated": lambda e: helpers.new_child_workflow_created_event(
        e.event_id, e.name, e.child_instance_id, e.input
    ),
    "childWorkflowInstanceCompleted": lambda e: helpers.new_child_workflow_completed_event(
        e.task_id, e.output
    ),
    "childWorkflowInstanceFailed": _child_failed,
    "timerCreated": _timer_created,
    "timerFired": _timer_fired,
    "eventRaised": lambda e: helpers.new_event_raised_event(e.name, e.input),
}
