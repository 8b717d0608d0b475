"""ml-service: judges how urgent a task is; activities only.

A logistic regression with its weights in this file: no packages, so it starts at once.
"""

import json
import math
import os
import signal
import sqlite3
import threading
import time
from contextlib import closing, suppress
from datetime import datetime, timezone

import dapr.ext.workflow as wf

LEDGER = os.environ.get("LEDGER", "ledger.sqlite")
# How long one inference takes on top of the computation, as a larger model would.
INFERENCE_SECONDS = float(os.environ.get("INFERENCE_SECONDS", "0"))
WEIGHTS = {"outage": 2.6, "security": 2.1, "down": 1.8, "urgent": 1.7, "wiki": -0.9, "typo": -1.4}
BIAS = -1.2
SIDECAR_SECONDS = float(os.environ.get("SIDECAR_SECONDS", "10"))

wfr = wf.WorkflowRuntime()


@wfr.activity(name="run_ml_inference")
def run_ml_inference(ctx: wf.WorkflowActivityContext, request: dict) -> dict:
    """Return the priority of a task and the score behind it."""
    started = time.time()
    words = request["title"].lower().split()
    score = 1 / (1 + math.exp(-BIAS - sum(WEIGHTS.get(word, 0) for word in words)))
    time.sleep(INFERENCE_SECONDS)
    with closing(ledger()) as db, db:
        row = (ctx.get_inner_context().task_execution_id, request["title"], started, time.time())
        db.execute("INSERT INTO inferences VALUES (?, ?, ?, ?)", row)
    return {"priority": "high" if score >= 0.5 else "normal", "score": round(score, 3)}


def ledger() -> sqlite3.Connection:
    db = sqlite3.connect(LEDGER, timeout=10)
    db.execute("CREATE TABLE IF NOT EXISTS inferences (key, title, started, ended)")
    return db


# --- log and worker --------------------------------------------------------------------------


def log(event: str, **facts: object) -> None:
    at = datetime.now(timezone.utc).isoformat()
    entry = {"at": at, "service": "ml-service", "event": event, **facts}
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
