"""task-orchestrator-service: decides all that happens to a task; others do single steps."""

import json
import os
import signal
import sqlite3
import threading
from collections.abc import Iterable
from contextlib import closing, suppress
from datetime import datetime, timedelta, timezone

import dapr.ext.workflow as wf

LEDGER = os.environ.get("LEDGER", "ledger.sqlite")
NOTIFICATIONS = "notification-service"
AUDIT = "audit-service"
ML = "ml-service"
RETRIES = wf.RetryPolicy(first_retry_interval=timedelta(seconds=0.5), max_number_of_attempts=3)
SIDECAR_SECONDS = float(os.environ.get("SIDECAR_SECONDS", "10"))

wfr = wf.WorkflowRuntime()


@wfr.workflow(name="task_processing")
def task_processing(ctx: wf.DaprWorkflowContext, order: dict):
    """Judge and note a task, inform two people, keep the book."""
    request = {"title": order["title"]}
    judged = yield ctx.call_activity("run_ml_inference", input=request, app_id=ML)
    yield ctx.call_activity(record_task, input=order)
    sent = yield from inform(ctx, order, [order["email"], order["manager_email"]])
    check = yield from audit(ctx, order, "task_assigned")
    return {
        "task_id": order["task_id"],
        "status": "completed",
        "priority": judged["priority"],
        "mails": sent,
        "compliant": check["compliant"],
    }


@wfr.workflow(name="bulk_task_processing")
def bulk_task_processing(ctx: wf.DaprWorkflowContext, bulk: dict):
    """Judge many tasks, at most `limit` at a time; a free place is used at once."""
    titles, limit = bulk["titles"], bulk["limit"]
    running: dict = {}
    answers: list = [None] * len(titles)
    for number, title in enumerate(titles):
        call = ctx.call_activity("run_ml_inference", input={"title": title}, app_id=ML)
        running[call] = number
        if len(running) == limit:
            ended = yield wf.when_any(list(running))
            answers[running.pop(ended)] = ended.get_result()["priority"]
    for call, number in running.items():
        answers[number] = (yield call)["priority"]
    return {"done": len(answers), "high": answers.count("high")}


@wfr.workflow(name="task_escalation")
def task_escalation(ctx: wf.DaprWorkflowContext, order: dict):
    """Inform the assignee; inform the manager, too, when nobody says "done" in time."""
    yield from inform(ctx, order, [order["email"]])
    done = ctx.wait_for_external_event("done")
    timer = ctx.create_timer(timedelta(seconds=order["patience_seconds"]))
    winner = yield wf.when_any([done, timer])
    if winner is done:
        return {"task_id": order["task_id"], "escalated": False}
    yield from inform(ctx, order, [order["manager_email"]])
    yield from audit(ctx, order, "task_escalated")
    return {"task_id": order["task_id"], "escalated": True}


# --- steps that several workflows share ------------------------------------------------------


def inform(ctx: wf.DaprWorkflowContext, order: dict, audience: Iterable[str]):
    """Send one mail to each of the audience; a refused one does not stop the task."""
    sent = 0
    for recipient in audience:
        mail = {
            "recipient": recipient,
            "subject": f"Task assigned: {order['title']}",
            "body": f"Task {order['task_id']} was assigned.",
        }
        try:
            yield ctx.call_activity(
                "send_email", input=mail, app_id=NOTIFICATIONS, retry_policy=RETRIES
            )
            sent += 1
        except wf.TaskFailedError as failure:
            if not ctx.is_replaying:
                log("given_up", recipient=recipient, error=failure.details.message)
    return sent


def audit(ctx: wf.DaprWorkflowContext, order: dict, action: str):
    """Write an action to the book, and check it."""
    task = {"task_id": order["task_id"], "title": order["title"]}
    entry = {**task, "action": action, "actor": order["email"]}
    yield ctx.call_activity("log_audit_event", input=entry, app_id=AUDIT)
    return (yield ctx.call_activity("check_compliance_rules", input=entry, app_id=AUDIT))


# --- the activity that runs here -------------------------------------------------------------


@wfr.activity(name="record_task")
def record_task(ctx: wf.WorkflowActivityContext, task: dict) -> dict:
    """Note a task, once for each call."""
    key = ctx.get_inner_context().task_execution_id
    with closing(sqlite3.connect(LEDGER, timeout=10)) as db, db:
        db.execute("CREATE TABLE IF NOT EXISTS tasks (key PRIMARY KEY, task_id, title)")
        row = (key, task["task_id"], task["title"])
        db.execute("INSERT OR IGNORE INTO tasks VALUES (?, ?, ?)", row)
    log("recorded", task_id=task["task_id"])
    return {"recorded": True}


# --- log and worker --------------------------------------------------------------------------


def log(event: str, **facts: object) -> None:
    at = datetime.now(timezone.utc).isoformat()
    entry = {"at": at, "service": "task-orchestrator-service", "event": event, **facts}
    print(json.dumps(entry), flush=True)


def connect() -> None:
    """Connect the worker to its sidecar, or end with a clear message."""
    starting = threading.Thread(target=start_worker, daemon=True)
    starting.start()
    starting.join(SIDECAR_SECONDS)  # start() itself never gives up
    if starting.is_alive():
        port = os.environ.get("DAPR_GRPC_PORT", "50001")
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
