"""Runs activities in process: one after the other, sync and ``async def``."""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dapr.ext.workflow._durabletask import worker as sdk
from dapr.ext.workflow._durabletask.internal import helpers, shared
from dapr.ext.workflow._durabletask.internal import protos as pb
from dapr.ext.workflow.propagation import PropagatedHistory

from labkit.inprocess.applied import Call, refused_size

_log = logging.getLogger("labkit.inprocess")


class Activities:
    """Runs activities; those with ``async def`` share one loop, as in a worker."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def ended(self, registry: Any, instance_id: str, call: Call) -> Any:
        """Run an activity; return the event that says how it ended."""
        number, given = call.event.eventId, call.event.taskScheduled
        try:
            output = self._run(registry, instance_id, number, call)
            answer = pb.ActivityResponse(instanceId=instance_id, taskId=number)
            answer.result.value = output or ""
            if said := refused_size(answer):
                raise RuntimeError(f"Activity result exceeds gRPC max message size: {said}")
            ended = helpers.new_task_completed_event(number, output)
            ended.taskCompleted.taskExecutionId = given.taskExecutionId
        except Exception as problem:  # whatever an activity raises is its result
            ended = helpers.new_task_failed_event(number, problem)
            ended.taskFailed.taskExecutionId = given.taskExecutionId
        return ended

    def _run(self, registry: Any, instance_id: str, number: int, call: Call) -> Any:
        given = call.event.taskScheduled
        function, executor = registry.get_activity(given.name), sdk._ActivityExecutor(_log)
        handed = PropagatedHistory.from_proto(call.propagated) if call.propagated else None
        values = (function, instance_id, given.name, number, given.input.value)
        execution = given.taskExecutionId
        if function is not None and shared.is_async_callable(function):
            running = executor.execute_async(*values, execution, propagated_history=handed)
            return self._awaited(running)
        return executor.execute(*values, execution, propagated_history=handed)

    def _awaited(self, running: Coroutine[Any, Any, Any]) -> Any:
        """Await an ``async def`` activity; in a thread, as a notebook runs a loop of its own."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            weakref.finalize(self, self._loop.close)
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(self._loop.run_until_complete, running).result()
