"""One turn of a workflow function, taken with the SDK's own executor as its worker takes it.

What :mod:`labkit.replay` and :mod:`labkit.inprocess` share: all that the executor and the runtime
exchange in a turn passes through here. Sources are the SDK 1.18.3 (``_durabletask/worker.py``)
and, for what the runtime makes of the answer, dapr/dapr v1.18.1 with durabletask-go 0.12.1.

Touches private names of the SDK, pinned in :mod:`labkit.versions`; :data:`PRIVATE` lists them and
a test says so when they move.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import dapr.ext.workflow as wf
from dapr.ext.workflow._durabletask import worker as sdk
from dapr.ext.workflow._durabletask.internal import helpers
from dapr.ext.workflow._durabletask.internal import protos as pb
from dapr.ext.workflow.propagation import PropagatedHistory

from labkit.errors import ObservationError

PRIVATE = (
    "WorkflowRuntime._WorkflowRuntime__worker._registry",
    "_durabletask.worker._OrchestrationExecutor.process_event, _is_suspended, _suspended_events",
    "_durabletask.worker._RuntimeOrchestrationContext._is_patched, _history_patches",
    "_durabletask.worker._ActivityExecutor",
    "_durabletask.internal.helpers.new_*",
    "_durabletask.internal.shared.is_async_callable, to_json",
)
_WORKER = "_WorkflowRuntime__worker"
_log = logging.getLogger("labkit.turns")


class EndlessTurn(ObservationError):
    """A turn from which the SDK's executor never comes back."""

    code = "endless-turn"


@dataclass(frozen=True)
class Taken:
    """What a workflow function decided in a turn.

    Attributes:
        actions: the protocol's actions, in order.
        version: the version of the workflow that was run; None for one without versions.
        patches: every patch that was asked for and taken, as often as it was asked for.
        custom_status: as JSON text, or None.
    """

    actions: tuple[Any, ...]
    version: str | None = None
    patches: tuple[str, ...] = ()
    custom_status: str | None = None

    @property
    def written_version(self) -> Any:
        """What the worker answers as version, or None (``worker.py``, _execute_orchestrator)."""
        if not self.version and not self.patches:
            return None
        return pb.WorkflowVersion(name=self.version or None, patches=self.patches)


def registry_of(runtime: wf.WorkflowRuntime) -> Any:
    """Return where the functions of a runtime are registered."""
    return getattr(runtime, _WORKER)._registry


def take(
    registry: Any,
    instance_id: str,
    old: Iterable[Any],
    new: Iterable[Any],
    propagated: Any = None,
    prepare: Callable[[Any], None] | None = None,
) -> Taken:
    """Run a workflow function over ``old`` events and then ``new`` ones; return what it decided.

    Args:
        propagated: the protocol's PropagatedHistory, or None.
        prepare: called with the executor's context before the first event.

    Raises:
        EndlessTurn: the executor would not come back from it.
    """
    executor = _Executor(registry, prepare)
    try:
        handed = PropagatedHistory.from_proto(propagated) if propagated is not None else None
        result = executor.execute(instance_id, list(old), list(new), propagated_history=handed)
    except _Endless:
        raise _endless(instance_id) from None
    except Exception as problem:  # the worker, too, fails the instance with whatever it is
        failed = helpers.new_failure_details(problem)
        return Taken((failed_action(failed),))
    return Taken(
        tuple(result.actions),
        result.version_name,
        tuple(result.patches or ()),
        result.encoded_custom_status,
    )


def failed_action(details: Any) -> Any:
    """Return the action by which the worker fails an instance that it cannot run."""
    failed: Any = pb.ORCHESTRATION_STATUS_FAILED
    return helpers.new_complete_workflow_action(-1, failed, "", details)


class _Executor(sdk._OrchestrationExecutor):
    """The SDK's executor, which also hands over its context before the first event."""

    def __init__(self, registry: Any, prepare: Callable[[Any], None] | None) -> None:
        super().__init__(registry, _log)
        self._prepare = prepare

    def process_event(self, ctx: Any, event: Any) -> None:
        prepare, self._prepare = self._prepare, None
        if prepare is not None:
            prepare(ctx)
        if event.HasField("executionResumed") and self._is_suspended:
            self._require_end()
        super().process_event(ctx, event)

    def _require_end(self) -> None:
        """Raise _Endless when what was kept while suspended is kept again, without end.

        The SDK 1.18.3 goes through the list of kept events and may append to it while it does so:
        a second suspension in the list lets it keep whatever follows, again and again.
        """
        kept = [e.HasField("executionSuspended") for e in self._suspended_events]
        if any(kept[:-1]):
            raise _Endless


class _Endless(BaseException):
    """Not an Exception, since the executor fails a workflow with any of those."""


def _endless(instance_id: str) -> EndlessTurn:
    return EndlessTurn(
        f"{instance_id} was suspended twice and then resumed: a worker never ends this turn",
        asked=f"a turn of {instance_id}",
        found="the executor of the SDK 1.18.3 keeps the events of a suspension again and again",
        look_at=f"the events executionSuspended and executionResumed of {instance_id}",
        fix="suspend only what is not suspended: look at the status first",
    )


def patch_mismatch(old: Iterable[Any], patches: Sequence[str]) -> str | None:
    """Return what the runtime says when a turn does not take the patches of the history again.

    The patches of the history must be the first that the turn takes, in the same order
    (dapr/dapr v1.18.1, ``orchestrator/versioning.go``, hasPatchMismatch). None: they are.
    """
    before = _patches_of(old)
    if list(patches[: len(before)]) == before:
        return None
    return (
        f"Patch mismatch. History patches: [{', '.join(before)}], "
        f"current patches: [{', '.join(patches)}]. "
    )


def compacted(old: Iterable[Any], version: Any) -> Any:
    """Return the version that the runtime writes for a turn: patches not yet in the history.

    As soon as there are patches the name of the version is dropped, and is not in the history
    (dapr/dapr v1.18.1, ``orchestrator/versioning.go``, compactPatches).
    """
    if version is None or not version.patches:
        return version
    known, fresh = Counter(_patches_of(old)), []
    for patch in version.patches:
        if known[patch] > 0:
            known[patch] -= 1
        else:
            fresh.append(patch)
    return pb.WorkflowVersion(patches=fresh) if fresh else None


def version_in(events: Iterable[Any]) -> str:
    """Return the version that the first turn ran, or an empty text."""
    started = (e.workflowStarted for e in events if e.HasField("workflowStarted"))
    return next((s.version.name for s in started), "")


def passed_on(
    scope: Any, received: Any, app_id: str, instance_id: str, events: Sequence[Any]
) -> Any:
    """Return the history that a call hands to what it calls, or None.

    Args:
        scope: what the call says; 0 is none.
        received: the history that the caller was handed itself, or None.
        events: the caller's, up to and including the call
            (durabletask-go 0.12.1, ``runtimestate/propagation.go``).
    """
    if not scope:
        return None
    lineage = pb.HistoryPropagationScope.Value("HISTORY_PROPAGATION_SCOPE_LINEAGE")
    handed = pb.PropagatedHistory(scope=scope)
    if scope == lineage and received is not None:
        handed.chunks.extend(received.chunks)
    if events:
        name = next((e.executionStarted.name for e in events if e.HasField("executionStarted")), "")
        raw = [e.SerializeToString(deterministic=True) for e in events]
        handed.chunks.add(appId=app_id, instanceId=instance_id, workflowName=name, rawEvents=raw)
    return handed


def _patches_of(events: Iterable[Any]) -> list[str]:
    started = (e.workflowStarted for e in events if e.HasField("workflowStarted"))
    return [p for s in started for p in s.version.patches]
