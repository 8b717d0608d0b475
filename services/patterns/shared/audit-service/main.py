"""audit-service: keeps the book of what was done; activities only."""

import json
import os
import signal
import sqlite3
import threading
from contextlib import closing, suppress
from datetime import datetime, timezone

import dapr.ext.workflow as wf

LEDGER = os.environ.get("LEDGER", "ledger.sqlite")
COMPANY_DOMAIN = os.environ.get("COMPANY_DOMAIN", "example.com")
SIDECAR_SECONDS = float(os.environ.get("SIDECAR_SECONDS", "10"))

wfr = wf.WorkflowRuntime()


@wfr.activity(name="log_audit_event")
def log_audit_event(ctx: wf.WorkflowActivityContext, entry: dict) -> dict:
    """Write the action to the book, once."""
    key = ctx.get_inner_context().task_execution_id
    fields = [entry.get(name) for name in ("task_id", "action", "actor")]
    with closing(ledger()) as db, db:
        db.execute("INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?)", (key, *fields))
    log("recorded", task_id=entry.get("task_id"))
    return {"recorded": True}


@wfr.activity(name="check_compliance_rules")
def check_compliance_rules(ctx: wf.WorkflowActivityContext, entry: dict) -> dict:
    """Say which rules an action breaks."""
    violations = []
    if not str(entry.get("actor", "")).endswith("@" + COMPANY_DOMAIN):
        violations.append(f"actor is not at {COMPANY_DOMAIN}")
    return {"compliant": not violations, "violations": violations}


def ledger() -> sqlite3.Connection:
    db = sqlite3.connect(LEDGER, timeout=10)
    db.execute("CREATE TABLE IF NOT EXISTS events (key PRIMARY KEY, task_id, action, actor)")
    return db


# --- log and worker --------------------------------------------------------------------------


def log(event: str, **facts: object) -> None:
    at = datetime.now(timezone.utc).isoformat()
    entry = {"at": at, "service": "audit-service", "event": event, **facts}
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
