"""The workflow code of the services, run in this process with a virtual clock."""

from __future__ import annotations

import importlib.util
from datetime import timedelta

import dapr.ext.workflow as wf
import pytest

from labkit import paths
from labkit.inprocess import START, InProcess

ORDER = {
    "task_id": "task-123",
    "title": "Review PR",
    "assignee_email": "alice@example.com",
    "assignee_user_id": "user-alice",
}


def service(app_id: str):
    """Load a new copy of a service's module, with a runtime of its own."""
    file = paths.repo() / "services" / app_id / "main.py"
    spec = importlib.util.spec_from_file_location(app_id.replace("-", "_"), file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def apps(send_email) -> InProcess:
    """Return the task system with a notification app that does what the test wants."""
    notification = wf.WorkflowRuntime()
    notification.register_activity(send_email, name="send_email")
    notification.register_activity(lambda ctx, given: {"sent": True}, name="send_push")
    return InProcess(
        {
            "task-orchestrator-service": service("task-orchestrator-service").wfr,
            "notification-service": notification,
        }
    )


def test_an_order_runs_through_both_apps():
    system = apps(lambda ctx, given: {"sent": given["recipient"]})
    one = system.schedule("task-orchestrator-service", "task_processing_multi_app", ORDER)
    system.run()
    assert one.status == "COMPLETED"
    assert one.output["notifications_sent"][0] == {"sent": "alice@example.com"}
    targets = {e.target_app_id for e in system.history("instance") if e.kind == "taskScheduled"}
    assert targets == {None, "notification-service"}


def test_retries_wait_one_two_four_and_eight_seconds_of_virtual_time():
    tries = []

    def failing(ctx, given):
        tries.append(system.now - START)
        raise ConnectionError("down")

    system = apps(failing)
    one = system.schedule("task-orchestrator-service", "resilient_task_processing", ORDER)
    system.run()
    assert [t // timedelta(seconds=1) for t in tries] == [0, 1, 3, 7, 15]
    assert one.status == "COMPLETED"
    assert one.output["notifications_sent"] == [{"sent": False, "error": "down"}]
    assert "log_notification_failure" in [e.name for e in system.history("instance")]


def test_a_workflow_function_is_run_again_from_its_start_at_every_turn():
    system = apps(lambda ctx, given: {})
    one = system.schedule("task-orchestrator-service", "task_processing_multi_app", ORDER)
    system.run()
    assert one.turns == 5, "once at the beginning and once after each of four activities"


def test_a_child_and_an_event_and_a_timer():
    home, away = wf.WorkflowRuntime(), wf.WorkflowRuntime()

    @away.workflow(name="child")
    def child(ctx, given):
        yield ctx.create_timer(timedelta(hours=1))
        return given * 2

    @home.workflow(name="parent")
    def parent(ctx, given):
        doubled = yield ctx.call_child_workflow("child", input=given, app_id="away")
        approved = yield ctx.wait_for_external_event("approve")
        return [doubled, approved]

    system = InProcess({"home": home, "away": away})
    one = system.schedule("home", "parent", 21)
    system.run()
    assert one.status == "RUNNING", "it waits for the event"
    assert system.now - START == timedelta(hours=1)
    system.raise_event("instance", "approve", "yes")
    system.run()
    assert one.output == [42, "yes"]


def test_a_failed_child_fails_its_parent():
    home = wf.WorkflowRuntime()

    @home.workflow(name="child")
    def child(ctx, given):
        raise ValueError("no")

    @home.workflow(name="parent")
    def parent(ctx, given):
        return (yield ctx.call_child_workflow("child"))

    system = InProcess({"home": home})
    one = system.schedule("home", "parent")
    system.run()
    assert one.status == "FAILED"
    assert "no" in one.error


@pytest.mark.parametrize(
    ("audit", "violations"),
    [
        ({"actor": "a@example.com", "action": "task_assigned", "timestamp": "now"}, 0),
        ({"actor": "a@else.org", "action": "task_assigned", "timestamp": "now"}, 1),
        ({"actor": "", "action": "theft"}, 3),
    ],
)
def test_the_audit_rules(audit, violations):
    assert len(service("audit-service").violations_of(audit)) == violations
