"""task-service: keeps the tasks."""

import json
import os
import signal
import sqlite3
import threading
from contextlib import closing, suppress
from datetime import datetime, timezone

import dapr.ext.workflow as wf

LEDGER = os.environ.get("LEDGER", "ledger.sqlite")
SIDECAR_SECONDS = float(os.environ.get("SIDECAR_SECONDS", "10"))

wfr = wf.WorkflowRuntime()


@wfr.activity(name="create_task")
def create_task(ctx: wf.WorkflowActivityContext, task: dict) -> dict:
    """Note a task, once for each call."""
    key = ctx.get_inner_context().task_execution_id
    with closing(ledger()) as db, db:
        row = (key, task["task_id"], task["title"])
        db.execute("INSERT OR IGNORE INTO tasks VALUES (?, ?, ?)", row)
    log("created", task_id=task["task_id"])
    return {"created": True}


@wfr.activity(name="get_task")
def get_task(ctx: wf.WorkflowActivityContext, task_id: str) -> dict:
    """Return a task as it was noted; None under "title" when there is none."""
    with closing(ledger()) as db:
        row = db.execute("SELECT title FROM tasks WHERE task_id = ?", (task_id,)).fetchone()
    return {"task_id": task_id, "title": row[0] if row else None}


def ledger() -> sqlite3.Connection:
    db = sqlite3.connect(LEDGER, timeout=10)
    db.execute("CREATE TABLE IF NOT EXISTS tasks (key PRIMARY KEY, task_id, title)")
    return db


# --- log and worker --------------------------------------------------------------------------


def log(event: str, **facts: object) -> None:
    at = datetime.now(timezone.utc).isoformat()
    entry = {"at": at, "service": "task-service", "event": event, **facts}
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
