"""audit-service: records what was done, checks it against the rules, raises alerts.

It hosts a workflow that other apps call as a child, and the three activities of that workflow.
It has no HTTP port: a worker needs none.
"""

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
COMPANY_DOMAIN = os.environ.get("COMPANY_DOMAIN", "example.com")
KNOWN_ACTIONS = {"task_assigned", "task_closed"}

wfr = wf.WorkflowRuntime()


# --- the workflow that other apps call as a child --------------------------------------------


@wfr.workflow(name="compliance_audit_workflow")
def compliance_audit_workflow(ctx: wf.DaprWorkflowContext, audit_data: dict):
    """Record an action, check it, and raise an alert when it breaks a rule."""
    yield ctx.call_activity(log_audit_event, input=audit_data)
    check = yield ctx.call_activity(check_compliance_rules, input=audit_data)
    if not check["compliant"]:
        alert = {"task_id": audit_data["task_id"], "violations": check["violations"]}
        yield ctx.call_activity(raise_compliance_alert, input=alert)
    return {"status": "audited", "compliant": check["compliant"]}


# --- its activities --------------------------------------------------------------------------


@wfr.activity(name="log_audit_event")
def log_audit_event(ctx: wf.WorkflowActivityContext, audit_data: dict) -> dict:
    """Write the action to the ledger, once."""
    key = ctx.get_inner_context().task_execution_id
    fields = [audit_data.get(name) for name in ("task_id", "action", "actor", "timestamp")]
    with closing(ledger()) as db, db:
        db.execute("INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?)", (key, *fields))
    log("recorded", task_id=audit_data.get("task_id"), action=audit_data.get("action"))
    return {"recorded": True}


@wfr.activity(name="check_compliance_rules")
def check_compliance_rules(ctx: wf.WorkflowActivityContext, audit_data: dict) -> dict:
    """Say which rules an action breaks."""
    violations = violations_of(audit_data)
    log("checked", task_id=audit_data.get("task_id"), violations=violations)
    return {"compliant": not violations, "violations": violations}


@wfr.activity(name="raise_compliance_alert")
def raise_compliance_alert(ctx: wf.WorkflowActivityContext, alert: dict) -> dict:
    """Write an alert to the ledger, once."""
    key = ctx.get_inner_context().task_execution_id
    row = (key, alert["task_id"], json.dumps(alert["violations"]))
    with closing(ledger()) as db, db:
        db.execute("INSERT OR IGNORE INTO alerts VALUES (?, ?, ?)", row)
    log("alert", task_id=alert["task_id"], violations=alert["violations"])
    return {"raised": True}


def violations_of(audit_data: dict) -> list[str]:
    """The rules, in plain Python."""
    found = []
    if not str(audit_data.get("actor", "")).endswith("@" + COMPANY_DOMAIN):
        found.append(f"actor is not at {COMPANY_DOMAIN}")
    if audit_data.get("action") not in KNOWN_ACTIONS:
        found.append("action is not known")
    if not audit_data.get("timestamp"):
        found.append("timestamp is missing")
    return found


# --- ledger and log --------------------------------------------------------------------------


def ledger() -> sqlite3.Connection:
    db = sqlite3.connect(LEDGER, timeout=10)
    db.executescript(
        """
        CREATE TABLE IF NOT EXISTS events (key PRIMARY KEY, task_id, action, actor, timestamp);
        CREATE TABLE IF NOT EXISTS alerts (key PRIMARY KEY, task_id, violations);
        """
    )
    return db


def log(event: str, **facts: object) -> None:
    at = datetime.now(timezone.utc).isoformat()
    print(json.dumps({"at": at, "service": "audit-service", "event": event, **facts}), flush=True)


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
