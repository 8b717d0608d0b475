"""user-service: knows the users."""

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


@wfr.activity(name="get_user")
def get_user(ctx: wf.WorkflowActivityContext, user_id: str) -> dict:
    """Return a user; the company makes its addresses from the IDs."""
    with closing(ledger()) as db:
        row = db.execute("SELECT last_task FROM users WHERE user_id = ?", (user_id,)).fetchone()
    return {
        "user_id": user_id,
        "email": f"{user_id}@example.com",
        "manager_email": f"boss-of-{user_id}@example.com",
        "last_task": row[0] if row else None,
    }


@wfr.activity(name="update_user")
def update_user(ctx: wf.WorkflowActivityContext, change: dict) -> dict:
    """Note a user's newest task; the same change twice is one change."""
    with closing(ledger()) as db, db:
        row = (change["user_id"], change["last_task"])
        db.execute("INSERT OR REPLACE INTO users VALUES (?, ?)", row)
    log("updated", **change)
    return {"updated": True}


def ledger() -> sqlite3.Connection:
    db = sqlite3.connect(LEDGER, timeout=10)
    db.execute("CREATE TABLE IF NOT EXISTS users (user_id PRIMARY KEY, last_task)")
    return db


# --- log and worker --------------------------------------------------------------------------


def log(event: str, **facts: object) -> None:
    at = datetime.now(timezone.utc).isoformat()
    entry = {"at": at, "service": "user-service", "event": event, **facts}
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
