"""task-orchestrator-service: decides what happens to a task, and in which order.

It hosts the parent workflows. Steps that need nobody else run here; the others are called in
other apps, by app ID.
"""

import json
import os
import re
import signal
import threading
from contextlib import suppress
from datetime import datetime, timedelta, timezone

import dapr.ext.workflow as wf
from pydantic import BaseModel

NOTIFICATIONS = "notification-service"
AUDIT = "audit-service"
INFERENCE = "ml-inference-service"
PATIENCE = timedelta(seconds=3)
SIDECAR_SECONDS = float(os.environ.get("SIDECAR_SECONDS", "10"))

wfr = wf.WorkflowRuntime()


class TaskOrder(BaseModel):
    task_id: str
    title: str
    assignee_email: str
    assignee_user_id: str


# --- the workflows ---------------------------------------------------------------------------


@wfr.workflow(name="task_processing_multi_app")
def task_processing_multi_app(ctx: wf.DaprWorkflowContext, order: TaskOrder):
    """Validate and assign here; notify in notification-service."""
    check = yield ctx.call_activity(validate_task, input=order.model_dump())
    if not check["valid"]:
        return result(order, "rejected", [], reasons=check["reasons"])
    yield ctx.call_activity(assign_task, input=order.model_dump())
    email = yield ctx.call_activity("send_email", input=email_for(order), app_id=NOTIFICATIONS)
    push = yield ctx.call_activity("send_push", input=push_for(order), app_id=NOTIFICATIONS)
    return result(order, "completed", [email, push])


@wfr.workflow(name="task_with_audit")
def task_with_audit(ctx: wf.DaprWorkflowContext, order: TaskOrder):
    """The same with an e-mail only, then an audit: a child workflow in audit-service."""
    check = yield ctx.call_activity(validate_task, input=order.model_dump())
    if not check["valid"]:
        return result(order, "rejected", [], reasons=check["reasons"])
    yield ctx.call_activity(assign_task, input=order.model_dump())
    email = yield ctx.call_activity("send_email", input=email_for(order), app_id=NOTIFICATIONS)
    audit = yield ctx.call_child_workflow(
        "compliance_audit_workflow",
        input={
            "task_id": order.task_id,
            "action": "task_assigned",
            "actor": order.assignee_email,
            "timestamp": ctx.current_utc_datetime.isoformat(),
        },
        app_id=AUDIT,
        instance_id=f"audit-{order.task_id}",
    )
    return result(order, "completed", [email], audit=audit)


@wfr.workflow(name="task_with_priority")
def task_with_priority(ctx: wf.DaprWorkflowContext, order: TaskOrder):
    """Let ml-inference-service judge how urgent the task is; only an urgent one gets a push."""
    judged = yield ctx.call_activity(
        "run_ml_inference", input={"title": order.title}, app_id=INFERENCE
    )
    yield ctx.call_activity(assign_task, input=order.model_dump())
    sent = [(yield ctx.call_activity("send_email", input=email_for(order), app_id=NOTIFICATIONS))]
    if judged["priority"] == "high":
        push = yield ctx.call_activity("send_push", input=push_for(order), app_id=NOTIFICATIONS)
        sent.append(push)
    return result(order, "completed", sent, priority=judged["priority"])


@wfr.workflow(name="resilient_task_processing")
def resilient_task_processing(ctx: wf.DaprWorkflowContext, order: TaskOrder):
    """Retry an e-mail that fails; after the last try go on without it."""
    yield ctx.call_activity(validate_task, input=order.model_dump())
    policy = wf.RetryPolicy(
        first_retry_interval=timedelta(seconds=1),
        max_number_of_attempts=5,
        backoff_coefficient=2.0,
        max_retry_interval=timedelta(seconds=30),
    )
    try:
        email = yield ctx.call_activity(
            "send_email", input=email_for(order), app_id=NOTIFICATIONS, retry_policy=policy
        )
    except wf.TaskFailedError as failure:
        problem = {"task_id": order.task_id, "error": failure.details.message}
        yield ctx.call_activity(log_notification_failure, input=problem)
        email = {"sent": False, "error": failure.details.message}
    return result(order, "completed", [email])


@wfr.workflow(name="task_with_fallback")
def task_with_fallback(ctx: wf.DaprWorkflowContext, order: TaskOrder):
    """Finish the task in any case; notifications are sent as far as possible."""
    yield ctx.call_activity(validate_task, input=order.model_dump())
    yield ctx.call_activity(assign_task, input=order.model_dump())
    email = yield from attempt_notification(ctx, "send_email", email_for(order))
    push = yield from attempt_notification(ctx, "send_push", push_for(order))
    sent = [{"channel": "email", "sent": email}, {"channel": "push", "sent": push}]
    return result(order, "completed", sent)


def attempt_notification(ctx: wf.DaprWorkflowContext, activity: str, message: dict):
    """Return whether a notification was delivered in time.

    The remote call stands in a child workflow of this app, and the child races with a timer: a
    call to an app that is not there would hold up this workflow itself. The child goes on and
    delivers when the app is back.
    """
    child = ctx.call_child_workflow(
        deliver_notification,
        input={"activity": activity, "message": message},
        instance_id=f"{ctx.instance_id}-{activity}",
    )
    winner = yield wf.when_any([child, ctx.create_timer(PATIENCE)])
    return winner is child and not child.is_failed


@wfr.workflow(name="deliver_notification")
def deliver_notification(ctx: wf.DaprWorkflowContext, given: dict):
    """Call one notification activity, with three tries."""
    policy = wf.RetryPolicy(first_retry_interval=timedelta(seconds=1), max_number_of_attempts=3)
    return (
        yield ctx.call_activity(
            given["activity"], input=given["message"], app_id=NOTIFICATIONS, retry_policy=policy
        )
    )


# --- the activities that run here ------------------------------------------------------------


@wfr.activity(name="validate_task")
def validate_task(ctx: wf.WorkflowActivityContext, task: dict) -> dict:
    """Say whether a task can be worked on."""
    reasons = []
    if not task.get("title", "").strip():
        reasons.append("the title is empty")
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", task.get("assignee_email", "")):
        reasons.append("the e-mail address of the assignee is not valid")
    log("validated", task_id=task.get("task_id"), valid=not reasons)
    return {"valid": not reasons, "reasons": reasons, "validated_at": now()}


@wfr.activity(name="assign_task")
def assign_task(ctx: wf.WorkflowActivityContext, task: dict) -> dict:
    """Give a task to its assignee."""
    log("assigned", task_id=task["task_id"], assignee=task["assignee_email"])
    return {"assigned": True, "assignee": task["assignee_email"]}


@wfr.activity(name="log_notification_failure")
def log_notification_failure(ctx: wf.WorkflowActivityContext, problem: dict) -> dict:
    """Note that a notification was given up."""
    log("notification_failed", **problem)
    return {"logged": True}


# --- messages, result, log -------------------------------------------------------------------


def email_for(order: TaskOrder) -> dict:
    return {
        "recipient": order.assignee_email,
        "subject": f"Task assigned: {order.title}",
        "body": f"Task {order.task_id} was assigned to you.",
    }


def push_for(order: TaskOrder) -> dict:
    return {
        "user_id": order.assignee_user_id,
        "title": "New task",
        "message": f"Task {order.task_id}: {order.title}",
    }


def result(order: TaskOrder, status: str, notifications: list, **more: object) -> dict:
    """A plain dict: every language can read it."""
    return {
        "task_id": order.task_id,
        "status": status,
        "notifications_sent": notifications,
        **more,
    }


def now() -> str:
    return datetime.now(timezone.utc).isoformat()


def log(event: str, **facts: object) -> None:
    line = {"at": now(), "service": "task-orchestrator-service", "event": event, **facts}
    print(json.dumps(line), flush=True)


# --- the worker ------------------------------------------------------------------------------


def connect() -> None:
    """Connect the worker to its sidecar, or end with a clear message."""
    starting = threading.Thread(target=start_worker, daemon=True)
    starting.start()
    starting.join(SIDECAR_SECONDS)  # start() itself never gives up
    if starting.is_alive():
        port = os.environ.get("DAPR_GRPC_PORT", "50001")
        log("no_sidecar", tried=f"127.0.0.1:{port}", seconds=SIDECAR_SECONDS)
        print(f"No Dapr sidecar on 127.0.0.1:{port}. Start one for this app first.", flush=True)
        os._exit(1)
    log("worker_connected")


def start_worker() -> None:
    with suppress(RuntimeError):  # raised when shutdown() comes before the sidecar
        wfr.start()


def main() -> None:
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    threading.Thread(target=connect, daemon=True).start()
    ended.wait()
    wfr.shutdown()


if __name__ == "__main__":
    main()
