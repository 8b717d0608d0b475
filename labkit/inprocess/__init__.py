"""Many apps' workflow code in one process, with a virtual clock: for unit tests of logic only.

It runs the SDK's own executor on real workflow and activity functions; there is no sidecar, no
placement, no state store. So it shows what workflow code decides, and replay step by step; it
shows nothing of routing, absence, crashes or delivery. Those need a :class:`labkit.Lab`.

An activity runs to its end when it is called, one after the other, and takes no virtual time; one
that asks a sidecar fails, as there is none.
Whatever the executor and the runtime exchange is carried: versions, patches, propagated history,
suspension, failures of children, events that are taken along. What is not raises
:class:`~labkit.history.CannotBeShown`.

Touches private names of the SDK, as :mod:`labkit.turns` does.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import dapr.ext.workflow as wf
from dapr.ext.workflow._durabletask.internal import helpers, shared
from dapr.ext.workflow._durabletask.internal import protos as pb

from labkit.history import (
    ENDED,
    HistoryEvent,
    RunHistory,
    failure_of,
    records,
    status_of,
)
from labkit.history.events import parsed
from labkit.inprocess.activities import Activities
from labkit.inprocess.applied import Applied, Before, Call, applied, call_too_large, too_large
from labkit.inprocess.clock import START, Clock
from labkit.inprocess.instances import (
    AppNotGiven,
    CallNotAccepted,
    Instance,
    NoRest,
    Parent,
    answer_of,
    no_app,
    no_instance,
    no_rest,
    not_accepted,
)
from labkit.turns import EndlessTurn, registry_of, take

__all__ = [
    "START", "AppNotGiven", "CallNotAccepted", "EndlessTurn", "InProcess", "Instance", "NoRest",
    "Parent",
]  # fmt: skip

MOST_TURNS = 1000
"""After so many turns of one instance in one :meth:`InProcess.run` it counts as endless."""
MOST_INSTANCES = 1000
"""So many instances may begin in one :meth:`InProcess.run`."""


class InProcess:
    """A set of apps without a runtime.

    Args:
        apps: app ID to the ``WorkflowRuntime`` on which its functions are registered; not started.

    Attributes:
        instances: by instance ID; of two apps with the same ID the one that was first.
    """

    def __init__(self, apps: Mapping[str, wf.WorkflowRuntime]) -> None:
        self._registries = {app_id: registry_of(runtime) for app_id, runtime in apps.items()}
        self._clock = Clock()
        self._activities = Activities()
        self._count = itertools.count()
        self._all: dict[tuple[str, str], Instance] = {}
        self.instances: dict[str, Instance] = {}

    @property
    def now(self) -> datetime:
        """The virtual time, UTC without a zone; moves to a timer when nothing else is due."""
        return self._clock.now

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
            raise no_app(app_id, workflow, self._registries)
        there = self._all.get((app_id, instance_id))
        if there is not None and there.status not in ENDED:
            raise not_accepted(there, f"schedule {workflow}", "give another instance_id")
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
            EndlessTurn: one was suspended twice and then resumed, which no worker comes back from.
        """
        self._release()
        self._clock.limit(within)
        before = {id(i): i.turns for i in self._all.values()}
        many = len(self._all) + MOST_INSTANCES
        while self.step():
            if len(self._all) > many:
                raise self._no_rest(self._root(list(self._all.values())[-1]), turns)
            for instance in self._all.values():
                if instance.turns - before.get(id(instance), 0) > turns:
                    raise self._no_rest(instance, turns)
        self._clock.finish()

    def step(self) -> bool:
        """Run one turn of one instance, or move the clock to the next timer; False at the end."""
        if ready := [i for i in self._all.values() if self._is_ready(i)]:
            self._turn(min(ready, key=lambda i: i.since))
            return True
        if (fired := self._clock.take()) is None:
            return False
        self._give(fired[0], fired[1])
        return True

    def _is_ready(self, instance: Instance) -> bool:
        """Whether an instance has its turn: something has arrived, and nothing holds it."""
        if instance.status in ENDED:
            instance.inbox.clear()  # accepted and lost
        if instance.blocked_by and all(i.status in ENDED for i in instance.blocked_by):
            instance.held, instance.blocked_by = None, []
        return bool(instance.inbox) and instance.held is None

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
        instance.custom_status = parsed(taken.custom_status)
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
            self._clock.set(instance, timer)
        for call in result.activities:
            registry = self._registries[call.target or instance.app_id]
            ended = self._activities.ended(registry, instance.instance_id, call)
            self._give(instance, ended)
        for call in result.children:
            self._begin_child(instance, call)

    def _end(self, instance: Instance, end: Any, terminated: bool) -> None:
        instance.output = parsed(end.result.value or None)
        if end.HasField("failureDetails"):
            instance.failure = failure_of(end.failureDetails)
            instance.error = instance.failure.message or None
        if terminated:
            self._end_children(instance)
        parent = instance.parent
        caller = self._all.get((parent.app_id, parent.instance_id)) if parent else None
        if parent and caller and caller.generation == parent.generation:
            self._give(caller, answer_of(instance, parent.number, end))

    def _end_children(self, instance: Instance) -> None:
        """Terminate the children as the instance was (durabletask-go 0.12.1, ``backend.go``)."""
        order = next(e for e in instance.history if e.HasField("executionTerminated"))
        for event in instance.history:
            created = event.childWorkflowInstanceCreated.instanceId
            app_id = event.router.targetAppID or instance.app_id
            child = self._all.get((app_id, created))
            if child is not None and order.executionTerminated.recurse:
                told = pb.HistoryEvent(eventId=-1, executionTerminated=order.executionTerminated)
                self._give(child, told)

    def _begin_again(self, instance: Instance, result: Applied) -> None:
        instance.generation += 1
        instance.history = []
        clock, start, *events = result.begins_again
        instance.inbox = [self._stamped(clock), self._stamped(start), *events]
        instance.since = next(self._count)
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
                instance.blocked_by.append(there)
                words = f"an active workflow with ID '{there.instance_id}' already exists"
                found.setdefault(call.event.eventId, f"{words} on {there.app_id}")
        return found

    def _in_use(self, instance: Instance, call: Call) -> Instance | None:
        """Return who has the ID of a child and has not ended (``orchestrator/create.go``)."""
        child_id = call.event.childWorkflowInstanceCreated.instanceId
        there = self._all.get((call.target or instance.app_id, child_id))
        return None if there is None or there.status in ENDED else there

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
            instance.held, instance.blocked_by = None, []

    # --- instances ---------------------------------------------------------------------------

    def _begin(
        self, app_id: str, instance_id: str, started: Any, parent: Parent | None, propagated: Any
    ) -> Instance:
        instance = Instance(app_id, instance_id, parent, propagated=propagated)
        self._give(instance, started)
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
        parent = Parent(caller.app_id, caller.instance_id, call.event.eventId, caller.generation)
        self._begin(app_id, created.instanceId, started, parent, call.propagated)

    def _root(self, instance: Instance) -> Instance:
        while instance.parent is not None:
            instance = self._all[instance.parent.app_id, instance.parent.instance_id]
        return instance

    def _no_rest(self, instance: Instance, turns: int) -> NoRest:
        waits = ", ".join(self.awaited(instance.instance_id, instance.app_id))
        return no_rest(instance, turns, len(self._all), self.now, waits or "its code")

    def _tell(self, instance_id: str, event: Any) -> None:
        instance = self._find(instance_id)
        if instance.status == "STALLED":
            fix = "remove what stalls it first: connect() the app with code that it can go on with"
            raise not_accepted(instance, str(event.WhichOneof("eventType")), fix)
        self._give(instance, event)

    def _give(self, instance: Instance, event: Any) -> None:
        """Put an event into an inbox; turns are taken in the order in which inboxes fill."""
        if not instance.inbox:
            instance.since = next(self._count)
        instance.inbox.append(self._stamped(event))

    def _find(self, instance_id: str, app_id: str | None = None) -> Instance:
        found = self._all.get((app_id, instance_id)) if app_id else self.instances.get(instance_id)
        if found is None:
            raise no_instance(instance_id, self._all)
        return found

    def _stamped(self, event: Any) -> Any:
        if not event.HasField("timestamp") or not event.timestamp.seconds:
            event.timestamp.FromDatetime(self.now)
        return event
