"""ml-inference-service: says how urgent a task is, from the words of its title.

One activity, no workflow, and packages of its own (requirements.txt). The model is trained by
train.py; MODEL.md is its card.
"""

import hashlib
import json
import os
import signal
import sqlite3
import sys
import threading
import time
from contextlib import closing, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import dapr.ext.workflow as wf
import joblib
import numpy as np

LEDGER = os.environ.get("LEDGER", "ledger.sqlite")
SIDECAR_SECONDS = float(os.environ.get("SIDECAR_SECONDS", "10"))
HERE = Path(__file__).resolve().parent
LEAST_HIGH = 0.5

wfr = wf.WorkflowRuntime()


@wfr.activity(name="run_ml_inference")
def run_ml_inference(ctx: wf.WorkflowActivityContext, request: dict) -> dict:
    """Return priority and score (0 to 1) of a task; with ``explain`` also the words that count.

    The text is ``title``, or the content of ``file`` when the text is too large to be sent.
    """
    started = time.time()
    text = request.get("title") or Path(request["file"]).read_text("utf-8")
    score = scores([text])[0]
    answer = {"priority": "high" if score >= LEAST_HIGH else "normal", "score": score}
    if request.get("explain"):
        answer["because"] = explanation(text, score)
    note(ctx.get_inner_context().task_execution_id, started)
    log("scored", characters=len(text), device=DEVICE, **answer)
    return {**answer, "device": DEVICE}


# --- the model -------------------------------------------------------------------------------


def load(folder: Path) -> Any:
    """Load the model, but only the file whose hash is written down beside it."""
    data = (folder / "model.joblib").read_bytes()
    known = (folder / "model.sha256").read_text("utf-8").split()[0]
    if hashlib.sha256(data).hexdigest() != known:
        log("wrong_model", folder=str(folder))
        print(f"{folder / 'model.joblib'} is not the file in model.sha256; not loaded.", flush=True)
        sys.exit(1)
    return joblib.load(folder / "model.joblib")


def device() -> tuple[str, Any]:
    """Return "gpu" and CuPy where both CuPy and a GPU are there; else "cpu" and NumPy."""
    with suppress(Exception):  # no CuPy, no driver, no GPU: all the same to us
        import cupy  # type: ignore[import-not-found]

        if cupy.cuda.runtime.getDeviceCount() > 0:
            return "gpu", cupy
    return "cpu", np


def scores(texts: list[str]) -> list[float]:
    """Return how urgent each text sounds, from 0 to 1; the same on every device."""
    words, classifier = (step for _, step in MODEL.steps)
    features = ARRAYS.asarray(words.transform(texts).toarray())
    # The classes are in alphabetical order, so the weights speak for the second, "normal".
    weights, bias = ARRAYS.asarray(-classifier.coef_[0]), -float(classifier.intercept_[0])
    urgent = 1 / (1 + ARRAYS.exp(-(features @ weights + bias)))
    return [round(float(value), 3) for value in urgent]


def explanation(text: str, score: float) -> list[str]:
    """Return the words without which the score falls most; slow, as it scores once a word."""
    words = text.split()
    without = (" ".join(words[:i] + words[i + 1 :]) for i in range(len(words)))
    falls = [(score - scores([rest])[0], word) for rest, word in zip(without, words, strict=True)]
    return [word for fall, word in sorted(falls, reverse=True)[:3] if fall > 0]


# --- ledger and log --------------------------------------------------------------------------


def note(key: str, started: float) -> None:
    with closing(sqlite3.connect(LEDGER, timeout=10)) as db, db:
        db.execute("CREATE TABLE IF NOT EXISTS inferences (key TEXT, started REAL, ended REAL)")
        db.execute("INSERT INTO inferences VALUES (?, ?, ?)", (key, started, time.time()))


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
    log("worker_connected", device=DEVICE)


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


MODEL = load(HERE)
DEVICE, ARRAYS = device()

if __name__ == "__main__":
    main()
