"""ml-inference-service: says how urgent a task is, from the words of its title.

One activity, no workflow. The model is a logistic function over a few word weights, written down
by hand in this file: small, fast and the same on every machine. It was not learned from data.
"""

import json
import math
import os
import signal
import threading
from contextlib import suppress
from datetime import datetime, timezone

import dapr.ext.workflow as wf

SIDECAR_SECONDS = float(os.environ.get("SIDECAR_SECONDS", "10"))
BIAS = -1.0
WEIGHTS = {"outage": 3.0, "security": 2.5, "urgent": 2.0, "broken": 1.5, "typo": -1.0}

wfr = wf.WorkflowRuntime()


@wfr.activity(name="run_ml_inference")
def run_ml_inference(ctx: wf.WorkflowActivityContext, request: dict) -> dict:
    """Return the priority of a task and the score behind it, from 0 to 1."""
    score = score_of(request["title"])
    priority = "high" if score >= 0.5 else "normal"
    log("scored", priority=priority, score=score)
    return {"priority": priority, "score": score}


def score_of(title: str) -> float:
    words = title.lower().split()
    return round(1 / (1 + math.exp(-BIAS - sum(WEIGHTS.get(w, 0.0) for w in words))), 3)


def log(event: str, **facts: object) -> None:
    at = datetime.now(timezone.utc).isoformat()
    line = {"at": at, "service": "ml-inference-service", "event": event, **facts}
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
