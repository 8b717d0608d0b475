"""task-orchestrator-service: decides which domain has its turn, and nothing within it."""

import json
import os
import signal
import sqlite3
import threading
from contextlib import closing, suppress
from datetime import datetime, timezone

import dapr.ext.workflow as wf

LEDGER = os.environ.get("LEDGER", "ledger.sqlite")
NOTIFICATIONS = "notification-service"
AUDIT = "audit-service"
ML = "ml-service"
SIDECAR_SECONDS = float(os.environ.get("SIDECAR_SECONDS", "10"))

wfr = wf.WorkflowRuntime()


@wfr.workflow(name="task_processing")
def task_processing(ctx: wf.DaprWorkflowContext, order: dict):
    """Judge and note a task; the campaign and the audit are workflows of other teams."""
    request = {"title": order["title"]}
    judged = yield ctx.call_activity("run_ml_inference", input=request, app_id=ML)
    yield ctx.call_activity(record_task, input=order)
    task = {"task_id": order["task_id"], "title": order["title"]}
    campaign = {**task, "audience": [order["email"], order["manager_email"]]}
    informed = yield ctx.call_child_workflow(
        "notification_campaign",
        input=campaign,
        app_id=NOTIFICATIONS,
        instance_id=f"{ctx.instance_id}-campaign",
    )
    entry = {**task, "action": "task_assigned", "actor": order["email"]}
    audited = yield ctx.call_child_workflow(
        "compliance_audit", input=entry, app_id=AUDIT, instance_id=f"{ctx.instance_id}-audit"
    )
    return {
        "task_id": order["task_id"],
        "status": "completed",
        "priority": judged["priority"],
        "mails": informed["sent"],
        "compliant": audited["compliant"],
    }


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
