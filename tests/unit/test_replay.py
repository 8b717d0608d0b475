"""Workflow code over histories that were recorded on the real runtime."""

from __future__ import annotations

import pytest

from labkit import paths
from labkit.replay import NoService, replay, runtime_of
from tests.support.recorded import recorded

SERVICE = paths.repo() / "services" / "task-orchestrator-service" / "main.py"


def test_each_turn_asks_for_what_the_history_holds_next():
    turns = replay(runtime_of(SERVICE), recorded("audited").events)
    assert [t.asks for t in turns] == [
        ("validate_task",),
        ("assign_task",),
        ("send_email",),
        ("compliance_audit_workflow",),
        ("end",),
    ]
    assert [len(t.answered) for t in turns] == [0, 1, 2, 3, 4]
    assert not any(t.failure for t in turns)


def test_retries_and_their_timers_are_replayed():
    turns = replay(runtime_of(SERVICE), recorded("retried").events)
    assert [a for t in turns for a in t.asks].count("timer") == 2
    assert turns[-1].asks == ("end",)


def test_changed_code_that_does_not_fit_is_found(tmp_path):
    changed = tmp_path / "main.py"
    text = SERVICE.read_text()
    start = text.index("def task_with_audit")
    old = "    yield ctx.call_activity(assign_task, input=order.model_dump())\n"
    changed.write_text(text[:start] + text[start:].replace(old, "", 1))
    turns = replay(runtime_of(changed), recorded("audited").events)
    assert [t.asks for t in turns] == [("validate_task",), ("send_email",), ("end",)]
    assert "history mismatch" in turns[-1].failure


def test_nothing_of_an_activity_is_run(tmp_path):
    changed = tmp_path / "main.py"
    body = '    """Say whether a task can be worked on."""\n'
    changed.write_text(SERVICE.read_text().replace(body, body + "    raise SystemExit(9)\n"))
    assert replay(runtime_of(changed), recorded("audited").events)[-1].asks == ("end",)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(NoService, match="no-service"):
        runtime_of(tmp_path / "main.py")
