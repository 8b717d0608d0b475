"""billing-service: charges users."""

import json
import os
import signal
import sqlite3
import threading
from contextlib import closing, suppress
from datetime import datetime, timezone

import dapr.ext.workflow as wf

LEDGER = os.environ.get("LEDGER", "ledger.sqlite")
FEE = int(os.environ.get("FEE", "5"))
SIDECAR_SECONDS = float(os.environ.get("SIDECAR_SECONDS", "10"))

wfr = wf.WorkflowRuntime()


@wfr.activity(name="charge_user")
def charge_user(ctx: wf.WorkflowActivityContext, charge: dict) -> dict:
    """Write a charge to the book, once for each call."""
    key = ctx.get_inner_context().task_execution_id
    with closing(ledger()) as db, db:
        row = (key, charge["task_id"], charge["user_id"], FEE)
        db.execute("INSERT OR IGNORE INTO charges VALUES (?, ?, ?, ?)", row)
    log("charged", task_id=charge["task_id"], fee=FEE)
    return {"charged": FEE}


def ledger() -> sqlite3.Connection:
    db = sqlite3.connect(LEDGER, timeout=10)
    columns = "key PRIMARY KEY, task_id, user_id, amount CHECK (amount > 0)"
    db.execute(f"CREATE TABLE IF NOT EXISTS charges ({columns})")
    return db


# --- log and worker --------------------------------------------------------------------------


def log(event: str, **facts: object) -> None:
    at = datetime.now(timezone.utc).isoformat()
    entry = {"at": at, "service": "billing-service", "event": event, **facts}
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
