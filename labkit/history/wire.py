"""Between the protocol's history events and our records, in both directions.

A record keeps whatever workflow code can see and whatever a person needs to read a run; what it
leaves out stands in :data:`NOT_KEPT`. A test fills every field of every event of the SDK's
protocol and finds it again, so that a new SDK cannot add one without a decision.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

from dapr.ext.workflow._durabletask.internal import protos as pb

from labkit.errors import ObservationError
from labkit.history.events import NEVER, Failure, HistoryEvent, of_recording
from labkit.history.kinds import KINDS

NOT_KEPT: Mapping[str, str] = {
    "parentTraceContext": "for tracing; the SDK gives it to spans, not to workflow code",
    "workflowSpanID": "for tracing",
    "attestation": "a signature, which the sidecars check",
    "signerCertificate": "a signature, which the sidecars check",
    "targetAppNamespace": "the Python SDK cannot call into another namespace",
    "recurse": "what becomes of the children is in their own histories",
    "tags": "labels for tracing backends; the SDK does not read them",
    "scheduledStartTimestamp": "the time of the first turn says when it began",
    "workflowInstance": "the record has the instance ID; the execution ID is the runtime's own",
    "parentInstance.taskScheduledId": "the parent's history has the call",
    "parentInstance.name": "the parent's history has its name",
    "parentInstance.version": "the SDK does not read it",
    "parentInstance.appNamespace": "the Python SDK cannot call into another namespace",
    "parentInstance.workflowInstance.executionId": "the runtime's own",
}
"""Fields of the protocol that no record keeps, and why."""

UNKNOWN = "unknown"
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_SENTINEL = (253402300799, 999999999)
"""When a wait without time-out fires (SDK 1.18.3, ``timer.py``, OPTIONAL_TIMER_FIRE_AT)."""
_ENDED_BY = ("taskScheduledId", "timerId")
_TIMER_OF = {
    "externalEvent": "name",
    "activityRetry": "taskExecutionId",
    "childWorkflowRetry": "instanceId",
}
_NAMES_INSTANCE = ("childWorkflowInstanceCreated", "detachedWorkflowInstanceCreated", "eventSent")
_STATUS = "ORCHESTRATION_STATUS_"
_SCOPE = "HISTORY_PROPAGATION_SCOPE_"


class CannotBeShown(ObservationError):
    """Something of the runtime that replay and the in-process run have no means to show."""

    code = "cannot-be-shown"


def records(events: Iterable[Any], app_id: str, instance_id: str) -> list[HistoryEvent]:
    """Return the protobuf events of a history as records, oldest first.

    External events that a workflow took along when it continued as new have no time (measured on
    1.18.1); they get that of the event before.
    """
    made: list[HistoryEvent] = []
    for index, event in enumerate(events):
        one = record(event, app_id, instance_id, index)
        made.append(one if one.time > _EPOCH or not made else replace(one, time=made[-1].time))
    return made


def record(event: Any, app_id: str, instance_id: str, index: int) -> HistoryEvent:
    """Return a protobuf event as a record; its kind is ``unknown`` if the SDK does not know it."""
    kind = event.WhichOneof("eventType") or UNKNOWN
    body = getattr(event, kind, event.router)
    names = {f.name for f in body.DESCRIPTOR.fields}
    origin = body.WhichOneof("origin") if kind == "timerCreated" else None
    due = body.fireAt if "fireAt" in names and body.HasField("fireAt") else None
    return HistoryEvent(
        app_id=app_id,
        instance_id=instance_id,
        index=index,
        kind=kind,
        time=_utc(event.timestamp),
        event_id=event.eventId,
        task_id=next((getattr(body, n) for n in _ENDED_BY if n in names), None),
        name=_text(body, names, "name"),
        source_app_id=event.router.sourceAppID or None,
        target_app_id=event.router.targetAppID or None,
        child_instance_id=body.instanceId or None if kind in _NAMES_INSTANCE else None,
        input=_text(body, names, "input"),
        output=_text(body, names, "result"),
        failure=_failure_in(body, names),
        fire_at=_utc(due) if due else None,
        fire_nanos=due.nanos % 1000 or None if due else None,
        task_execution_id=_text(body, names, "taskExecutionId"),
        timer_for=origin,
        timer_of=getattr(getattr(body, origin), _TIMER_OF[origin]) or None
        if origin in _TIMER_OF
        else None,
        status=_enum(pb.OrchestrationStatus, body.workflowStatus, _STATUS)
        if kind == "executionCompleted"
        else None,
        **_more(body, names, kind),
    )


def _more(body: Any, names: set[str], kind: str) -> dict[str, Any]:
    """Return the fields that few kinds have."""
    found: dict[str, Any] = {}
    if kind == "workflowStarted" and body.HasField("version"):
        found["version"] = body.version.name or None
        found["patches"] = tuple(body.version.patches)
    elif "version" in names and kind != "workflowStarted":
        found["version"] = _text(body, names, "version")
    if kind == "executionStalled":
        found["reason"] = _enum(pb.StalledReason, body.reason, "")
        found["description"] = body.description or None
    if kind == "executionStarted" and body.HasField("parentInstance"):
        found["parent_app_id"] = body.parentInstance.appID or None
        found["parent_instance_id"] = body.parentInstance.workflowInstance.instanceId
    if "rerunParentInstanceInfo" in names and body.HasField("rerunParentInstanceInfo"):
        found["rerun_of"] = body.rerunParentInstanceInfo.instanceID
    if "historyPropagationScope" in names and body.historyPropagationScope:
        scope = body.historyPropagationScope
        found["propagation"] = _enum(pb.HistoryPropagationScope, scope, _SCOPE)
    return found


def event_of(e: HistoryEvent) -> Any:
    """Return a record as the protobuf event that it was made from, but for :data:`NOT_KEPT`.

    Raises:
        CannotBeShown: it is of a kind that the SDK in use does not know.
        WrongRecording: a value is none that such an event can have.
    """
    if e.kind not in KINDS or e.kind not in pb.HistoryEvent.DESCRIPTOR.fields_by_name:
        raise _unknown_kind(e)
    with of_recording(f"event {e.event_id}, {e.kind}"):
        return _event_of(e)


def _event_of(e: HistoryEvent) -> Any:
    event = pb.HistoryEvent(eventId=e.event_id)
    event.timestamp.FromDatetime(e.time)
    if e.source_app_id or e.target_app_id:
        event.router.sourceAppID = e.source_app_id or ""
    if e.target_app_id:
        event.router.targetAppID = e.target_app_id
    body = getattr(event, e.kind)
    body.SetInParent()
    names = {f.name for f in body.DESCRIPTOR.fields}
    for field, value in (("name", e.name), ("taskExecutionId", e.task_execution_id)):
        if field in names and value:
            setattr(body, field, value)
    for field, text in (("input", e.input), ("result", e.output)):
        if field in names and text is not None:
            getattr(body, field).value = text
    for field in _ENDED_BY:
        if field in names and e.task_id is not None:
            setattr(body, field, e.task_id)
    if e.kind in _NAMES_INSTANCE and e.child_instance_id:
        body.instanceId = e.child_instance_id
    if e.failure and "failureDetails" in names:
        _put_failure(body.failureDetails, e.failure)
    _put_more(body, names, e)
    return event


def _put_more(body: Any, names: set[str], e: HistoryEvent) -> None:
    """Put back the fields that few kinds have."""
    if e.fire_at and "fireAt" in names:
        _put_due(body.fireAt, e)
    if e.kind == "timerCreated" and e.timer_for:
        origin = getattr(body, e.timer_for)
        origin.SetInParent()
        if e.timer_of and e.timer_for in _TIMER_OF:
            setattr(origin, _TIMER_OF[e.timer_for], e.timer_of)
    if e.kind == "workflowStarted":
        _put_version(body, e)
    elif "version" in names and e.version is not None:
        body.version.value = e.version
    if e.kind == "executionCompleted" and e.status:
        body.workflowStatus = pb.OrchestrationStatus.Value(_STATUS + e.status)
    if e.kind == "executionStarted":
        _put_instance(body, e)
    if e.kind == "executionStalled":
        body.reason = pb.StalledReason.Value(e.reason) if e.reason else 0
        body.description = e.description or ""
    if e.rerun_of and "rerunParentInstanceInfo" in names:
        body.rerunParentInstanceInfo.instanceID = e.rerun_of
    if e.propagation and "historyPropagationScope" in names:
        body.historyPropagationScope = pb.HistoryPropagationScope.Value(_SCOPE + e.propagation)


def _put_version(body: Any, e: HistoryEvent) -> None:
    if e.version:
        body.version.name = e.version
    if e.patches:
        body.version.patches.extend(e.patches)


def _put_instance(body: Any, e: HistoryEvent) -> None:
    body.workflowInstance.instanceId = e.instance_id
    if e.parent_instance_id:
        body.parentInstance.workflowInstance.instanceId = e.parent_instance_id
        body.parentInstance.appID = e.parent_app_id or ""


def _put_due(stamp: Any, e: HistoryEvent) -> None:
    assert e.fire_at is not None
    if e.fire_at >= NEVER and e.timer_for in (None, "externalEvent"):
        stamp.seconds, stamp.nanos = _SENTINEL  # also where nanoseconds were not yet recorded
        return
    stamp.FromDatetime(e.fire_at)
    stamp.nanos += e.fire_nanos or 0


def _put_failure(details: Any, failure: Failure) -> None:
    details.errorType, details.errorMessage = failure.error_type, failure.message
    if failure.stack:
        details.stackTrace.value = failure.stack
    if failure.inner:
        _put_failure(details.innerFailure, failure.inner)
    details.isNonRetriable = failure.non_retriable


def failure_of(details: Any) -> Failure:
    """Return the protocol's failure details as a record."""
    inner = failure_of(details.innerFailure) if details.HasField("innerFailure") else None
    stack = details.stackTrace.value
    return Failure(
        details.errorType, details.errorMessage, stack, inner, bool(details.isNonRetriable)
    )


def _failure_in(body: Any, names: set[str]) -> Failure | None:
    if "failureDetails" not in names or not body.HasField("failureDetails"):
        return None
    return failure_of(body.failureDetails)


def _text(body: Any, names: set[str], field: str) -> str | None:
    if field not in names:
        return None
    value = getattr(body, field)
    if isinstance(value, str):
        return value or None
    return value.value if body.HasField(field) else None


def _enum(kind: Any, number: int, prefix: str) -> str:
    """Return the name of a value; its number where the SDK does not know it."""
    try:
        return str(kind.Name(number)).removeprefix(prefix)
    except ValueError:
        return f"{kind.DESCRIPTOR.name} {number}"


def _utc(stamp: Any) -> datetime:
    return _EPOCH + timedelta(seconds=stamp.seconds, microseconds=stamp.nanos // 1000)


def _unknown_kind(e: HistoryEvent) -> CannotBeShown:
    return CannotBeShown(
        f"cannot be shown here: an event of the kind {e.kind}",
        asked=f"the event {e.index} of {e.instance_id} as the SDK reads it",
        found="no such kind in the protocol of the installed SDK",
        look_at="labkit/history/kinds.py, and the SDK's release notes",
        fix="use the SDK that the history was recorded with",
    )
