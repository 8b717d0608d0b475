"""Many apps' workflow code in one process, with a virtual clock: for unit tests of logic only.

It runs the SDK's own executor on real workflow and activity functions; there is no sidecar, no
placement, no state store. So it shows what workflow code decides, and replay step by step; it
shows nothing of routing, absence, crashes or delivery. Those need a :class:`labkit.Lab`.

An activity runs to its end when it is called, one after the other, and takes no virtual time.
Whatever the executor and the runtime exchange is carried: versions, patches, propagated history,
suspension, failures of children, events that are taken along. What is not raises
:class:`~labkit.history.CannotBeShown`.

Touches private names of the SDK, as :mod:`labkit.turns` does.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
import logging
import weakref
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import dapr.ext.workflow as wf
from dapr.ext.workflow._durabletask import worker as sdk
from dapr.ext.workflow._durabletask.internal import helpers, shared
from dapr.ext.workflow._durabletask.internal import protos as pb
from dapr.ext.workflow.propagation import PropagatedHistory

from labkit.applied import Applied, Before, Call, applied, call_too_large, refused_size, too_large
from labkit.errors import ObservationError
from labkit.history import (
    ENDED,
    Failure,
    HistoryEvent,
    RunHistory,
    UnknownInstance,
    answered_waits,
    failure_of,
    records,
    status_of,
)
from labkit.turns import registry_of, take

START = datetime(2026, 1, 1)
MOST_TURNS = 1000
"""After so many turns of one instance in one :meth:`InProcess.run` it counts as endless."""
MOST_INSTANCES = 1000
"""So many instances may begin in one :meth:`InProcess.run`."""
_NEVER_SECONDS = 253402300799  # a wait without time-out: the end of the year 9999
_log = logging.getLogger("labkit.inprocess")


class NoRest(ObservationError):
    """A workflow did not come to rest within the turns that it was given."""

    code = "no-rest"


class AppNotGiven(ObservationError):
    """An app ID that is not among the apps that were given."""

    code = "app-not-given"


class CallNotAccepted(ObservationError):
    """The runtime would refuse this call to an instance in its present state."""

    code = "call-not-accepted"


@dataclass(frozen=True)
class Parent:
    """Who called a child workflow: its instance, and the number of the step there."""

    app_id: str
    instance_id: str
    number: int


@dataclass
class Instance:
    """One workflow instance.

    Attributes:
        status: RUNNING, SUSPENDED, STALLED, COMPLETED, FAILED or TERMINATED.
        output: the result, parsed from JSON.
        error: the message of a failure.
        failure: the failure with its class name and stack; None when there is none.
        custom_status: what the code has set, or None.
        turns: how often its workflow function was run from the start: once per replay.
        held: why the runtime would not go on with it, e.g. since it calls an app that is not
            there; None when nothing holds it.
    """

    app_id: str
    instance_id: str
    parent: Parent | None
    status: str = "RUNNING"
    output: Any = None
    error: str | None = None
    failure: Failure | None = None
    custom_status: str | None = None
    turns: int = 0
    held: str | None = None
    generation: int = 0
    propagated: Any = field(default=None, repr=False)
    history: list[Any] = field(default_factory=list, repr=False)
    inbox: list[Any] = field(default_factory=list, repr=False)


class InProcess:
    """A set of apps without a runtime.

    Args:
        apps: app ID to the ``WorkflowRuntime`` on which its functions are registered; not started.

    Attributes:
        instances: by instance ID; of two apps with the same ID the one that was first.
    """

    def __init__(self, apps: Mapping[str, wf.WorkflowRuntime]) -> None:
        self._registries = {app_id: registry_of(runtime) for app_id, runtime in apps.items()}
        self._now = START
        self._until: datetime | None = None
        self._timers: list[tuple[datetime, int, Instance, int, Any]] = []
        self._count = itertools.count()
        self._all: dict[tuple[str, str], Instance] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self.instances: dict[str, Instance] = {}

    @property
    def now(self) -> datetime:
        """The virtual time, UTC without a zone; moves to a timer when nothing else is due."""
        return self._now

    def connect(self, app_id: str, runtime: wf.WorkflowRuntime) -> None:
        """Add an app, or give one another runtime, as after a release; takes effect in a turn."""
        self._registries[app_id] = registry_of(runtime)
        self._release()

    # --- what a client can do ----------------------------------------------------------------

    def schedule(
        self, app_id: str, workflow: str, input: Any = None, instance_id: str = "instance"
    ) -> Instance:
        """Begin an instance; nothing runs until :meth:`run`.

        Raises:
            AppNotGiven: there is no such app here.
            CallNotAccepted: an instance with this ID has not ended.
        """
        if app_id not in self._registries:
            raise self._no_app(app_id, workflow)
        there = self._all.get((app_id, instance_id))
        if there is not None and there.status not in ENDED:
            raise _not_accepted(there, f"schedule {workflow}", "give another instance_id")
        text = None if input is None else shared.to_json(input)
        started = helpers.new_execution_started_event(workflow, instance_id, text)
        started.router.sourceAppID = app_id
        return self._begin(app_id, instance_id, started, None, None)

    def raise_event(self, instance_id: str, name: str, data: Any = None) -> None:
        """Give an external event to an instance; data that counts as false arrives as None.

        Raises:
            UnknownInstance: there is no such instance.
            CallNotAccepted: it is stalled; the runtime then refuses every call ("actor is
                stalled", measured on 1.18.1).
        """
        # The SDK 1.18.3 sends data only if it is true (client.py, raise_orchestration_event).
        event = helpers.new_event_raised_event(name, shared.to_json(data) if data else None)
        self._tell(instance_id, event)

    def suspend(self, instance_id: str) -> None:
        """Suspend an instance: what arrives is kept until :meth:`resume`."""
        self._tell(instance_id, helpers.new_suspend_event())

    def resume(self, instance_id: str) -> None:
        """Let a suspended instance go on."""
        self._tell(instance_id, helpers.new_resume_event())

    def terminate(self, instance_id: str, output: Any = None, recursive: bool = True) -> None:
        """End an instance, and with ``recursive`` its children, wherever they run."""
        text = shared.to_json(output) if output else None
        event = helpers.new_terminated_event(encoded_output=text)
        event.executionTerminated.recurse = recursive
        self._tell(instance_id, event)

    # --- running -----------------------------------------------------------------------------

    def run(self, turns: int = MOST_TURNS, within: timedelta | None = None) -> None:
        """Run until nothing is left to do: all have ended, or wait for an event.

        Args:
            turns: so many turns of one instance are taken at most.
            within: the virtual clock moves on by so much at most; a workflow without end is run
                for a while in this way. None is no limit.

        Raises:
            NoRest: an instance has taken its turns and still goes on; names it.
        """
        self._release()
        self._until = None if within is None else self._now + within
        before = {id(i): i.turns for i in self._all.values()}
        many = len(self._all) + MOST_INSTANCES
        while self.step():
            if len(self._all) > many:
                raise self._no_rest(self._root(list(self._all.values())[-1]), turns)
            for instance in self._all.values():
                if instance.turns - before.get(id(instance), 0) > turns:
                    raise self._no_rest(instance, turns)
        self._now = self._until or self._now
        self._until = None

    def step(self) -> bool:
        """Run one turn of one instance, or move the clock to the next timer; False at the end."""
        for instance in list(self._all.values()):
            if instance.status in ENDED:
                instance.inbox.clear()  # accepted and lost
            elif instance.inbox and instance.held is None:
                self._turn(instance)
                return True
        return self._tick()

    def instance(self, instance_id: str, app_id: str | None = None) -> Instance:
        """Return an instance, also by its app where two apps use one ID.

        Raises:
            UnknownInstance: there is no such instance.
        """
        return self._find(instance_id, app_id)

    def history(self, instance_id: str, app_id: str | None = None) -> list[HistoryEvent]:
        """Return the history so far as the same records that a sidecar's history gives.

        Raises:
            UnknownInstance: there is no such instance.
        """
        instance = self._find(instance_id, app_id)
        return records(instance.history, instance.app_id, instance_id)

    def awaited(self, instance_id: str, app_id: str | None = None) -> list[str]:
        """Return in words what an instance waits for; empty when it has ended."""
        instance = self._find(instance_id, app_id)
        events = tuple(self.history(instance_id, app_id))
        open_steps = RunHistory(instance.app_id, instance_id, events).awaited()
        return [*open_steps, *([instance.held] if instance.held else [])]

    # --- a turn ------------------------------------------------------------------------------

    def _turn(self, instance: Instance) -> None:
        before = Before(
            instance.app_id, instance.instance_id, instance.history, instance.propagated
        )
        if stall := too_large(before, instance.inbox, instance.propagated):
            self._stall(instance, *stall)
            return
        arrived = self._arrived(instance)
        registry = self._registries[instance.app_id]
        instance.turns += 1
        taken = take(registry, instance.instance_id, instance.history, arrived, instance.propagated)
        result = applied(before, arrived, taken)
        instance.custom_status = _parsed(taken.custom_status)
        stall = result.stall or self._too_large(before, result)
        if stall:
            self._stall(instance, *stall)
        elif missing := self._undeliverable(instance, result):
            self._hold(instance, result, missing)
        else:
            self._write(instance, result)

    def _arrived(self, instance: Instance) -> list[Any]:
        """Return the events of a turn, the clock first, without a start that is written already."""
        inbox = list(instance.inbox)
        if inbox[0].HasField("workflowStarted"):  # it continues as new
            clock = inbox.pop(0)
        else:
            clock = self._stamped(helpers.new_workflow_started_event())
        begun = any(e.HasField("executionStarted") for e in instance.history)
        return [clock, *(e for e in inbox if not (begun and e.HasField("executionStarted")))]

    def _write(self, instance: Instance, result: Applied) -> None:
        """Write a turn, and hand on what it decided."""
        terminated = any(e.HasField("executionTerminated") for e in result.written)
        instance.inbox = []
        if result.begins_again:
            self._begin_again(instance, result)
            return
        instance.history = [*instance.history, *map(self._stamped, result.written)]
        instance.status = status_of(records(instance.history, "", instance.instance_id))
        if result.end is not None:
            self._end(instance, result.end, terminated)
        self._hand_on(instance, result)

    def _hand_on(self, instance: Instance, result: Applied) -> None:
        for timer in result.timers:
            self._set(instance, timer)
        for call in result.activities:
            ended = self._activity(instance, call)
            instance.inbox.append(self._stamped(ended))
        for call in result.children:
            self._begin_child(instance, call)

    def _end(self, instance: Instance, end: Any, terminated: bool) -> None:
        instance.output = _parsed(end.result.value or None)
        if end.HasField("failureDetails"):
            instance.failure = failure_of(end.failureDetails)
            instance.error = instance.failure.message or None
        if terminated:
            self._end_children(instance)
        parent = instance.parent
        if parent is not None and (caller := self._all.get((parent.app_id, parent.instance_id))):
            caller.inbox.append(self._stamped(_answer(instance, parent.number, end)))

    def _end_children(self, instance: Instance) -> None:
        """Terminate the children as the instance was (durabletask-go 0.12.1, ``backend.go``)."""
        order = next(e for e in instance.history if e.HasField("executionTerminated"))
        for event in instance.history:
            created = event.childWorkflowInstanceCreated.instanceId
            app_id = event.router.targetAppID or instance.app_id
            child = self._all.get((app_id, created))
            if child is not None and order.executionTerminated.recurse:
                told = pb.HistoryEvent(eventId=-1, executionTerminated=order.executionTerminated)
                child.inbox.append(self._stamped(told))

    def _begin_again(self, instance: Instance, result: Applied) -> None:
        instance.generation += 1
        instance.history = []
        clock, start, *events = result.begins_again
        instance.inbox = [self._stamped(clock), self._stamped(start), *events]
        instance.propagated = result.passed_over or instance.propagated

    # --- what cannot go on -------------------------------------------------------------------

    def _stall(self, instance: Instance, reason: str, description: str) -> None:
        """Hold an instance as STALLED; its inbox is kept, and tried again by the next run()."""
        instance.status = "STALLED"
        instance.held = f"{reason}: {description.strip()}"
        last = instance.history[-1].executionStalled if instance.history else None
        if last is not None and last.description == description:
            return
        body = pb.ExecutionStalledEvent(
            reason=pb.StalledReason.Value(reason), description=description
        )
        event = pb.HistoryEvent(eventId=-1, executionStalled=body)
        instance.history = [*instance.history, self._stamped(event)]

    def _too_large(self, before: Before, result: Applied) -> tuple[str, str] | None:
        found = (call_too_large(before, call) for call in result.activities)
        return next((stall for stall in found if stall), None)

    def _undeliverable(self, instance: Instance, result: Applied) -> dict[int, str]:
        """Return the calls that the runtime would try to hand on for ever, by number, and why."""
        found: dict[int, str] = {}
        for call in (*result.activities, *result.children):
            target = call.target or instance.app_id
            if target not in self._registries:
                found[call.event.eventId] = f"app {target} is not there"
        for call in result.children:
            if there := self._in_use(instance, call):
                found.setdefault(call.event.eventId, there)
        return found

    def _in_use(self, instance: Instance, call: Call) -> str | None:
        """Return why a child cannot begin under its ID, or None (``orchestrator/create.go``)."""
        child_id = call.event.childWorkflowInstanceCreated.instanceId
        there = self._all.get((call.target or instance.app_id, child_id))
        if there is None or there.status in ENDED:
            return None
        return f"an active workflow with ID '{child_id}' already exists on {there.app_id}"

    def _hold(self, instance: Instance, result: Applied, missing: Mapping[int, str]) -> None:
        """Keep the inbox for the next try; of a first turn the rest is written and handed on."""
        instance.held = "; ".join(dict.fromkeys(missing.values()))
        if instance.history:
            return
        result.written = [e for e in result.written if e.eventId not in missing]
        result.activities = [c for c in result.activities if c.event.eventId not in missing]
        result.children = [c for c in result.children if c.event.eventId not in missing]
        inbox = instance.inbox
        instance.history = list(map(self._stamped, result.written))
        self._hand_on(instance, result)
        instance.inbox = [*inbox, *instance.inbox]

    def _release(self) -> None:
        for instance in self._all.values():
            instance.held = None

    # --- clock -------------------------------------------------------------------------------

    def _set(self, instance: Instance, fired: Any) -> None:
        due = fired.timerFired.fireAt
        if due.seconds < _NEVER_SECONDS:
            moment = due.ToDatetime()
            entry = (moment, next(self._count), instance, instance.generation, fired)
            heapq.heappush(self._timers, entry)

    def _tick(self) -> bool:
        while self._timers and self._is_void(*self._timers[0][2:]):
            heapq.heappop(self._timers)
        if not self._timers or (self._until is not None and self._timers[0][0] > self._until):
            return False
        due, _, instance, _, fired = heapq.heappop(self._timers)
        self._now = max(self._now, due)
        instance.inbox.append(self._stamped(fired))
        return True

    def _is_void(self, instance: Instance, generation: int, fired: Any) -> bool:
        """Whether the runtime has deleted or ignores a timer: ended, continued, or answered."""
        if instance.status in ENDED or generation != instance.generation:
            return True
        if self._all.get((instance.app_id, instance.instance_id)) is not instance:
            return True
        events = records(instance.history, instance.app_id, instance.instance_id)
        return fired.timerFired.timerId in answered_waits(events)

    # --- instances, activities ---------------------------------------------------------------

    def _begin(
        self, app_id: str, instance_id: str, started: Any, parent: Parent | None, propagated: Any
    ) -> Instance:
        instance = Instance(app_id, instance_id, parent, propagated=propagated)
        instance.inbox.append(self._stamped(started))
        there = self.instances.get(instance_id)
        if there is None or there.app_id == app_id:
            self.instances[instance_id] = instance
        self._all[app_id, instance_id] = instance
        return instance

    def _begin_child(self, caller: Instance, call: Call) -> None:
        created = call.event.childWorkflowInstanceCreated
        app_id = call.target or caller.app_id
        text = created.input.value if created.HasField("input") else None
        started = helpers.new_execution_started_event(created.name, created.instanceId, text)
        started.router.CopyFrom(call.event.router)
        info = started.executionStarted.parentInstance
        info.taskScheduledId, info.appID = call.event.eventId, caller.app_id
        info.workflowInstance.instanceId = caller.instance_id
        parent = Parent(caller.app_id, caller.instance_id, call.event.eventId)
        self._begin(app_id, created.instanceId, started, parent, call.propagated)

    def _activity(self, instance: Instance, call: Call) -> Any:
        """Run an activity; return the event that says how it ended."""
        number, given = call.event.eventId, call.event.taskScheduled
        registry = self._registries[call.target or instance.app_id]
        try:
            output = self._run_activity(registry, instance.instance_id, number, call)
            answer = pb.ActivityResponse(instanceId=instance.instance_id, taskId=number)
            answer.result.value = output or ""
            if said := refused_size(answer):
                raise RuntimeError(f"Activity result exceeds gRPC max message size: {said}")
            ended = helpers.new_task_completed_event(number, output)
            ended.taskCompleted.taskExecutionId = given.taskExecutionId
        except Exception as problem:  # whatever an activity raises is its result
            ended = helpers.new_task_failed_event(number, problem)
            ended.taskFailed.taskExecutionId = given.taskExecutionId
        return ended

    def _run_activity(self, registry: Any, instance_id: str, number: int, call: Call) -> Any:
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

    def _root(self, instance: Instance) -> Instance:
        while instance.parent is not None:
            instance = self._all[instance.parent.app_id, instance.parent.instance_id]
        return instance

    def _tell(self, instance_id: str, event: Any) -> None:
        instance = self._find(instance_id)
        if instance.status == "STALLED":
            fix = "remove what stalls it first: connect() the app with code that it can go on with"
            raise _not_accepted(instance, str(event.WhichOneof("eventType")), fix)
        instance.inbox.append(self._stamped(event))

    def _find(self, instance_id: str, app_id: str | None = None) -> Instance:
        found = self._all.get((app_id, instance_id)) if app_id else self.instances.get(instance_id)
        if found is None:
            raise self._no_instance(instance_id)
        return found

    def _stamped(self, event: Any) -> Any:
        if not event.HasField("timestamp") or not event.timestamp.seconds:
            event.timestamp.FromDatetime(self._now)
        return event

    # --- errors ------------------------------------------------------------------------------

    def _no_rest(self, instance: Instance, turns: int) -> NoRest:
        name = instance.instance_id
        title = f"workflow {name} on {instance.app_id} has not come to rest after {turns} turns"
        if instance.turns <= turns:
            title = f"workflow {name} on {instance.app_id} begins child workflows without end"
        return NoRest(
            title,
            asked="run until nothing is left to do",
            found=f"{instance.turns} turns, continued as new {instance.generation} times; "
            f"{len(self._all)} instances; the virtual time is {self._now:%Y-%m-%d %H:%M:%S}",
            look_at=f"history({name!r}), and {', '.join(self.awaited(name)) or 'its code'}",
            fix="run(within=timedelta(hours=1)) stops the clock there; run(turns=...) allows more",
        )

    def _no_app(self, app_id: str, workflow: str) -> AppNotGiven:
        return AppNotGiven(
            f"there is no app {app_id} in this process",
            asked=f"schedule {workflow} on {app_id}",
            found=f"the apps {', '.join(self._registries) or 'none'}",
            look_at="the apps that InProcess was given",
            fix=f"InProcess({{{app_id!r}: RUNTIME, ...}}), or correct the app ID",
        )

    def _no_instance(self, instance_id: str) -> UnknownInstance:
        return UnknownInstance(
            f"there is no instance {instance_id} in this process",
            asked=f"the instance {instance_id}",
            found=f"the instances {', '.join(i for _, i in self._all) or 'none'}",
            look_at="the instance_id of schedule()",
            fix="schedule it first, or correct the instance ID",
        )


def _answer(instance: Instance, number: int, end: Any) -> Any:
    """Return the event by which a parent learns how its child ended, with all its failure says."""
    if instance.status == "COMPLETED":
        text = end.result.value if end.HasField("result") else None
        return helpers.new_child_workflow_completed_event(number, text)
    body = pb.ChildWorkflowInstanceFailedEvent(taskScheduledId=number)
    if end.HasField("failureDetails"):
        body.failureDetails.CopyFrom(end.failureDetails)
    return pb.HistoryEvent(eventId=-1, childWorkflowInstanceFailed=body)


def _not_accepted(instance: Instance, asked: str, fix: str) -> CallNotAccepted:
    return CallNotAccepted(
        f"{instance.instance_id} on {instance.app_id} does not accept this while it is "
        f"{instance.status}",
        asked=asked,
        found=f"status {instance.status}" + (f"; {instance.held}" if instance.held else ""),
        look_at=f"history({instance.instance_id!r})",
        fix=fix,
    )


def _parsed(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text
