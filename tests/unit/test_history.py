"""Joining recorded histories, and the steps they hold."""

from __future__ import annotations

import pytest

from labkit.history import (
    UnknownInstance,
    WrongRecording,
    event_of,
    from_json,
    join,
    to_json,
)
from tests.support.recorded import fetch, recorded


def test_the_steps_of_a_run_say_where_each_ran_and_how_it_ended():
    run = recorded("audited")
    told = [(s.name, s.app_id, s.outcome) for s in run.steps()]
    assert ("send_email", "notification-service", "completed") in told
    assert ("compliance_audit_workflow", "audit-service", "completed") in told
    assert told[-1] == ("raise_compliance_alert", "audit-service", "completed")
    assert run.status == "COMPLETED"
    assert run.app_ids == ["task-orchestrator-service", "notification-service", "audit-service"]


def test_a_history_is_shown_with_one_line_for_each_event():
    head, *lines = repr(recorded("audited")).splitlines()
    assert head == (
        "audited: 27 events of task-orchestrator-service, notification-service, audit-service"
    )
    assert len(lines) == 27
    (called,) = [line for line in lines if "send_email" in line]
    assert called.split()[:3] == ["0.02", "s", "task-orchestrator-service"]
    assert 'taskScheduled                  send_email → notification-service {"rec' in called
    assert all(len(line) < 200 for line in lines)
    failed = [line for line in repr(recorded("retried")).splitlines() if "taskFailed" in line]
    assert "ConnectionError: no mail server" in failed[0]


def test_retries_of_one_call_are_counted_and_share_their_key():
    tries = [s for s in recorded("retried").steps() if s.name == "send_email"]
    assert len(tries) > 1
    assert [s.attempt for s in tries] == list(range(1, len(tries) + 1))
    assert len({s.task_execution_id for s in tries}) == 1
    assert [s.outcome for s in tries] == ["failed"] * (len(tries) - 1) + ["completed"]
    assert "no mail server" in tries[0].failure.message


def test_a_recording_is_read_as_it_was_written():
    events = fetch("task-orchestrator-service", "audited")
    assert from_json(to_json(events)) == events
    assert events[1].argument["task_id"] == "task-123"


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ({"time": 5}, "dict in place of a list"),
        (None, "NoneType in place of a list"),
        ("[]", "str in place of a list"),
        ([5], "event 0: "),
        ([{}], "event 0 has no 'time'"),
        ([{"time": 5}], "event 0: "),
        ([{"time": "yesterday"}], "yesterday"),
        ([{"time": "2026-01-01T00:00:00"}], "no time zone"),
        ([{"time": "2026-01-01T00:00:00+00:00"}], "missing"),
        ([{"time": "2026-01-01T00:00:00+00:00", "colour": "red"}], "colour"),
    ],
)
def test_a_recording_that_is_none_is_refused_with_its_event(rows, found):
    with pytest.raises(WrongRecording) as caught:
        from_json(rows)
    assert found in caught.value.found


@pytest.mark.parametrize(
    ("field", "value"),
    [("event_id", "x"), ("name", 5), ("input", 5), ("status", "x"), ("task_id", "x")],
)
def test_a_value_that_no_event_has_is_refused_with_its_event(field, value):
    rows = to_json(fetch("task-orchestrator-service", "audited"))
    for row in rows:
        row[field] = value
    with pytest.raises(WrongRecording, match="cannot be read"):
        [event_of(event) for event in from_json(rows)]


def test_a_child_that_cannot_be_read_is_kept_with_its_reason():
    def without_audit(app_id, instance_id):
        if app_id == "audit-service":
            raise UnknownInstance("gone", asked="x", found="sidecar down", look_at="x", fix="x")
        return fetch(app_id, instance_id)

    run = join("task-orchestrator-service", "audited", without_audit)
    assert run.children == ()
    assert run.missing[0].app_id == "audit-service"
    assert "sidecar down" in run.missing[0].reason
