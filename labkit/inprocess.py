"""Many apps' workflow code in one process, with a virtual clock: for unit tests of logic only.

It runs the SDK's own executor on real workflow and activity functions; there is no sidecar, no
placement, no state store. So it shows what workflow code decides, and replay step by step; it
shows nothing of routing, absence, crashes or delivery. Those need a :class:`labkit.Lab`.

Touches private names of the SDK, pinned in :mod:`labkit.versions`; :data:`PRIVATE` lists them and
a test says so when they move.
"""

from __future__ import annotations

import heapq
import itertools
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import dapr.ext.workflow as wf
from dapr.ext.workflow._durabletask import worker as sdk
from dapr.ext.workflow._durabletask.internal import helpers
from dapr.ext.workflow._durabletask.internal import protos as pb

from labkit.history import HistoryEvent
from labkit.history.sidecar import record

PRIVATE = (
    "WorkflowRuntime._WorkflowRuntime__worker._registry",
    "_durabletask.worker._OrchestrationExecutor",
    "_durabletask.worker._ActivityExecutor",
    "_durabletask.internal.helpers.new_*_event",
)
_WORKER = "_WorkflowRuntime__worker"
START = datetime(2026, 1, 1)
NEVER_SECONDS = 253402300799  # a wait without time-out: the end of the year 9999
_log = logging.getLogger("labkit.inprocess")


@dataclass
class Instance:
    """One workflow instance.

    Attributes:
        status: RUNNING, COMPLETED, FAILED or TERMINATED.
        output: the result, parsed from JSON.
        error: the message of a failure.
        turns: how often its workflow function was run from the start: once per replay.
    """

    app_id: str
    parent: tuple[str, int] | None
    status: str = "RUNNING"
    output: Any = None
    error: str | None = None
    turns: int = 0
    history: list[Any] = field(default_factory=list)
    inbox: list[Any] = field(default_factory=list)


class InProcess:
    """A set of apps without a runtime.

    Args:
        apps: app ID to the ``WorkflowRuntime`` on which its functions are registered; not started.
    """

    def __init__(self, apps: Mapping[str, wf.WorkflowRuntime]) -> None:
        self._registries = {
            app_id: getattr(runtime, _WORKER)._registry for app_id, runtime in apps.items()
        }
        self._now = START
        self._timers: list[tuple[datetime, int, str, Any]] = []
        self._count = itertools.count()
        self.instances: dict[str, Instance] = {}

    @property
    def now(self) -> datetime:
        """The virtual time, UTC without a zone; moves to a timer when nothing else is due."""
        return self._now

    def schedule(
        self, app_id: str, workflow: str, input: Any = None, instance_id: str = "instance"
    ) -> Instance:
        """Begin an instance; nothing runs until :meth:`run`."""
        return self._begin(app_id, workflow, _json(input), instance_id, None)

    def raise_event(self, instance_id: str, name: str, data: Any = None) -> None:
        """Give an external event to an instance."""
        event = helpers.new_event_raised_event(name, _json(data))
        self.instances[instance_id].inbox.append(self._stamped(event))

    def run(self) -> None:
        """Run until nothing is left to do: all have ended, or wait for an event."""
        while self.step():
            pass

    def step(self) -> bool:
        """Run one turn of one instance, or move the clock to the next timer; False at the end."""
        for instance_id, instance in self.instances.items():
            if instance.inbox and instance.status == "RUNNING":
                self._turn(instance_id, instance)
                return True
        if not self._timers:
            return False
        due, _, instance_id, event = heapq.heappop(self._timers)
        self._now = max(self._now, due)
        self.instances[instance_id].inbox.append(self._stamped(event))
        return True

    def history(self, instance_id: str) -> list[HistoryEvent]:
        """Return the history so far as the same records that a sidecar's history gives."""
        instance = self.instances[instance_id]
        events = enumerate(instance.history)
        return [record(e, instance.app_id, instance_id, i) for i, e in events]

    # --- inside ------------------------------------------------------------------------------

    def _begin(
        self,
        app_id: str,
        workflow: str,
        input: str | None,
        instance_id: str,
        parent: tuple[str, int] | None,
    ) -> Instance:
        started = helpers.new_execution_started_event(workflow, instance_id, input)
        started.router.sourceAppID = app_id
        instance = Instance(app_id, parent, inbox=[self._stamped(started)])
        self.instances[instance_id] = instance
        return instance

    def _turn(self, instance_id: str, instance: Instance) -> None:
        new = [helpers.new_workflow_started_event(self._now), *instance.inbox]
        instance.inbox = []
        executor = sdk._OrchestrationExecutor(self._registries[instance.app_id], _log)
        result = executor.execute(instance_id, list(instance.history), new)
        instance.turns += 1
        instance.history += new
        for action in result.actions:
            kind = action.WhichOneof("workflowActionType")
            getattr(self, f"_{kind}")(instance_id, instance, action)

    def _scheduleTask(self, instance_id: str, instance: Instance, action: Any) -> None:
        task = action.scheduleTask
        scheduled = helpers.new_task_scheduled_event(action.id, task.name, task.input.value)
        scheduled.taskScheduled.taskExecutionId = task.taskExecutionId
        scheduled.router.CopyFrom(action.router)
        instance.history.append(self._stamped(scheduled))
        registry = self._registries[action.router.targetAppID or instance.app_id]
        try:
            output = sdk._ActivityExecutor(_log).execute(
                registry.get_activity(task.name),
                instance_id,
                task.name,
                action.id,
                task.input.value,
                task.taskExecutionId,
            )
            ended = helpers.new_task_completed_event(action.id, output)
        except Exception as problem:  # whatever an activity raises is its result
            ended = helpers.new_task_failed_event(action.id, problem)
        instance.inbox.append(self._stamped(ended))

    def _createTimer(self, instance_id: str, instance: Instance, action: Any) -> None:
        timer = action.createTimer
        created = pb.HistoryEvent(
            eventId=action.id, timerCreated=pb.TimerCreatedEvent(fireAt=timer.fireAt)
        )
        instance.history.append(self._stamped(created))
        if timer.fireAt.seconds < NEVER_SECONDS:
            due = timer.fireAt.ToDatetime()
            fired = helpers.new_timer_fired_event(action.id, due)  # type: ignore[attr-defined] # private
            heapq.heappush(self._timers, (due, next(self._count), instance_id, fired))

    def _createChildWorkflow(self, instance_id: str, instance: Instance, action: Any) -> None:
        child = action.createChildWorkflow
        created = helpers.new_child_workflow_created_event(
            action.id, child.name, child.instanceId, child.input.value
        )
        created.router.CopyFrom(action.router)
        instance.history.append(self._stamped(created))
        app_id = action.router.targetAppID or instance.app_id
        given = child.input.value or None
        self._begin(app_id, child.name, given, child.instanceId, (instance_id, action.id))

    def _completeWorkflow(self, instance_id: str, instance: Instance, action: Any) -> None:
        ended = action.completeWorkflow
        name = pb.OrchestrationStatus.Name(ended.workflowStatus)
        instance.status = name.removeprefix("ORCHESTRATION_STATUS_")
        if instance.status == "CONTINUED_AS_NEW":
            self._again(instance_id, instance, ended)
            return
        instance.output = json.loads(ended.result.value) if ended.result.value else None
        instance.error = ended.failureDetails.errorMessage or None
        if instance.parent is not None:
            self._tell_parent(instance, ended)

    def _again(self, instance_id: str, instance: Instance, ended: Any) -> None:
        started = next(e for e in instance.history if e.HasField("executionStarted"))
        workflow = started.executionStarted.name
        again = self._begin(
            instance.app_id, workflow, ended.result.value or None, instance_id, instance.parent
        )
        again.inbox += list(ended.carryoverEvents)

    def _tell_parent(self, instance: Instance, ended: Any) -> None:
        assert instance.parent is not None
        parent_id, number = instance.parent
        if instance.status == "COMPLETED":
            told = helpers.new_child_workflow_completed_event(number, ended.result.value)
        else:
            failure = RuntimeError(ended.failureDetails.errorMessage)
            told = helpers.new_child_workflow_failed_event(number, failure)
        self.instances[parent_id].inbox.append(self._stamped(told))

    def _stamped(self, event: Any) -> Any:
        event.timestamp.FromDatetime(self._now)
        return event


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value)
