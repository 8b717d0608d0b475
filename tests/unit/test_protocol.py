"""Every event, field and status of the SDK's protocol has its place, or a reason why not."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from dapr.ext.workflow._durabletask.internal import protos as pb
from dapr.ext.workflow._durabletask.internal import timer

from labkit.history import (
    ENDED,
    KINDS,
    NOT_KEPT,
    STATUSES,
    CannotBeShown,
    HistoryEvent,
    RunHistory,
    event_of,
    from_json,
    status_of,
    to_json,
)
from labkit.history.wire import record
from labkit.swimlane import Swimlane
from tests.support.recorded import recorded

EVENTS = pb.HistoryEvent.DESCRIPTOR.oneofs_by_name["eventType"].fields
T0 = datetime(2026, 11, 26, tzinfo=timezone.utc)


def filled(message, skip=(), path=""):
    """Fill every field of a message, but those in ``skip``; of a oneof the last one."""
    numbers = itertools.count(1)
    for field in message.DESCRIPTOR.fields:
        where = f"{path}{field.name}"
        if field.name in skip or where in skip:
            continue
        if field.is_repeated:
            getattr(message, field.name).append(f"{field.name} {next(numbers)}")
        elif field.message_type is None:
            setattr(message, field.name, value_of(field, next(numbers)))
        elif field.message_type.name == "Timestamp":
            getattr(message, field.name).FromNanoseconds(1_700_000_000_123_456_789)
        elif field.message_type.name == message.DESCRIPTOR.name:
            getattr(message, field.name).errorMessage = "inner"
        else:
            getattr(message, field.name).SetInParent()
            filled(getattr(message, field.name), skip, f"{where}.")
    return message


def value_of(field, number):
    if field.enum_type is not None:
        return field.enum_type.values[-1].number
    return {str: f"{field.name} {number}", int: number, bool: True, bytes: b"x"}[
        type(field.default_value)
    ]


@pytest.mark.parametrize("kind", [f.name for f in EVENTS])
def test_a_record_of_every_kind_keeps_every_field_or_says_why_not(kind):
    event = pb.HistoryEvent(eventId=7)
    event.timestamp.FromNanoseconds(1_700_000_000_123_456_000)
    event.router.sourceAppID, event.router.targetAppID = "a", "b"
    getattr(event, kind).SetInParent()
    filled(getattr(event, kind), skip=NOT_KEPT)
    if kind == "executionStarted":
        event.executionStarted.workflowInstance.instanceId = "i"
        event.executionStarted.parentInstance.workflowInstance.instanceId = "parent"
        event.executionStarted.parentInstance.appID = "home"
    kept = record(event, "a", "i", 0)
    assert event_of(kept) == event
    assert from_json(to_json([kept])) == [kept]


@pytest.mark.parametrize("origin", ["createTimer", "externalEvent", "activityRetry"])
def test_whatever_a_timer_is_for_is_kept(origin):
    event = pb.HistoryEvent(eventId=1)
    event.timerCreated.fireAt.CopyFrom(timer.OPTIONAL_TIMER_FIRE_AT)
    filled(getattr(event.timerCreated, origin)).SetInParent()
    event.timestamp.seconds = 1
    assert event_of(record(event, "a", "i", 0)) == event


def test_what_is_not_kept_is_in_the_protocol():
    fields = set()

    def walk(descriptor, path=""):
        for field in descriptor.fields:
            fields.update({field.name, f"{path}{field.name}"})
            if field.message_type and len(path.split(".")) < 4:
                walk(field.message_type, f"{path}{field.name}.")

    walk(pb.TaskRouter.DESCRIPTOR)
    for event in EVENTS:
        walk(event.message_type)
    assert set(NOT_KEPT) <= fields
    assert all(NOT_KEPT.values())


def test_every_kind_of_event_has_a_place():
    assert [f.name for f in EVENTS if f.name not in KINDS] == []
    assert [k for k in KINDS if k not in [f.name for f in EVENTS]] == []


def test_every_status_has_a_place():
    names = {n.removeprefix("ORCHESTRATION_STATUS_") for n in dict(pb.OrchestrationStatus.items())}
    assert names == set(STATUSES)
    assert {"COMPLETED", "FAILED", "TERMINATED", "CANCELED"} == ENDED


def events(*kinds):
    return [
        HistoryEvent("a", "i", n, *((k, T0) if isinstance(k, str) else (k[0], T0)))
        if isinstance(k, str)
        else HistoryEvent("a", "i", n, k[0], T0, **k[1])
        for n, k in enumerate(kinds)
    ]


ENDINGS = {
    name: events("workflowStarted", "executionStarted", ("executionCompleted", {"status": name}))
    for name in ("COMPLETED", "FAILED", "TERMINATED", "CANCELED", "CONTINUED_AS_NEW")
}
BEGUN = ("workflowStarted", "executionStarted")
STALL = ("executionStalled", {"reason": "PATCH_MISMATCH", "description": "none of it"})


@pytest.mark.parametrize(
    ("status", "given"),
    [
        ("PENDING", []),
        ("PENDING", events("workflowStarted")),
        ("RUNNING", events(*BEGUN)),
        ("SUSPENDED", events(*BEGUN, "executionSuspended")),
        ("SUSPENDED", events(*BEGUN, "executionSuspended", "eventRaised")),
        ("RUNNING", events(*BEGUN, "executionSuspended", "executionResumed")),
        ("STALLED", events(STALL)),
        ("STALLED", events(*BEGUN, STALL)),
        ("RUNNING", events(*BEGUN, STALL, "workflowStarted", "taskCompleted")),
        ("SUSPENDED", events(*BEGUN, "executionSuspended", STALL, "workflowStarted")),
        ("RUNNING", events(*BEGUN, "executionTerminated")),
        *((name, given) for name, given in ENDINGS.items()),
    ],
)
def test_the_status_of_a_history_is_the_runtimes_own(status, given):
    assert status_of(given) == status
    if given:
        run = RunHistory("a", "i", tuple(given))
        assert run.status == status
        assert str(Swimlane(run)).splitlines()[0].startswith(f"workflow on a: {status}")
        assert f"workflow: {status}" in Swimlane(run).svg


def test_a_recording_without_the_newer_fields_is_read_and_put_back():
    old = recorded("audited").events
    assert [event_of(e).WhichOneof("eventType") for e in old] == [e.kind for e in old]
    wait = replace(
        next(e for e in old if e.kind == "taskScheduled"),
        kind="timerCreated",
        timer_for="externalEvent",
        fire_at=datetime(9999, 12, 31, 23, 59, 59, 999999, timezone.utc),
    )
    assert timer.is_optional_timer_event(event_of(wait)), "a wait without time-out, exactly"


def test_the_time_of_an_event_that_was_taken_along_is_that_of_the_one_before():
    from labkit.history.wire import records

    first, second = pb.HistoryEvent(), pb.HistoryEvent()
    first.workflowStarted.SetInParent()
    first.timestamp.FromDatetime(T0 + timedelta(seconds=5))
    second.eventRaised.name = "x"
    made = records([first, second], "a", "i")
    assert made[1].time == made[0].time == T0 + timedelta(seconds=5)


def test_an_event_of_a_kind_that_nobody_knows_is_recorded_as_unknown_and_refused():
    assert record(pb.HistoryEvent(eventId=3), "a", "i", 0).kind == "unknown"
    with pytest.raises(CannotBeShown, match=r"cannot be shown here: an event of the kind newKind"):
        event_of(HistoryEvent("a", "i", 0, "newKind", T0))


def test_a_result_before_its_call_is_lost_and_the_call_is_awaited():
    call = ("taskScheduled", {"event_id": 2, "name": "work", "target_app_id": "target"})
    result = ("taskCompleted", {"task_id": 2})
    right = RunHistory("a", "i", tuple(events(*BEGUN, call, result)))
    assert right.awaited() == []
    lost = RunHistory("a", "i", tuple(events(*BEGUN, result, call)))
    (said,) = lost.awaited()
    assert said.startswith("activity work on target, whose result came before")
