"""notification-service: sends e-mails and pushes for any workflow that calls it by app ID.

It hosts two activities and no workflow. What it did is noted in a ledger, so that lost and
doubled messages can be counted.
"""

import json
import os
import smtplib
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import asynccontextmanager, closing, suppress
from datetime import datetime, timezone
from email.message import EmailMessage

import dapr.ext.workflow as wf
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

SMTP_HOST = os.environ.get("SMTP_HOST", "127.0.0.1")
SMTP_PORT = int(os.environ.get("SMTP_PORT", "1025"))
LEDGER = os.environ.get("LEDGER", "ledger.sqlite")
# A slow provider: seconds between handing a message over and noting that it was delivered.
SLOW_SECONDS = float(os.environ.get("SLOW_SECONDS", "0"))
SIDECAR_SECONDS = float(os.environ.get("SIDECAR_SECONDS", "10"))

wfr = wf.WorkflowRuntime()


# --- what callers send: plain JSON, checked on arrival ---------------------------------------


class Email(BaseModel):
    recipient: str
    subject: str
    body: str


class Push(BaseModel):
    user_id: str
    title: str
    message: str


# --- the activities: what other apps may call ------------------------------------------------


@wfr.activity(name="send_email")
def send_email(ctx: wf.WorkflowActivityContext, mail: Email) -> dict:
    """Send one e-mail; a repeated call with the same key does not send it again."""
    key = idempotency_key(ctx)
    return deliver_once(key, "email", mail.recipient, lambda: hand_to_smtp(mail, key))


@wfr.activity(name="send_push")
def send_push(ctx: wf.WorkflowActivityContext, push: Push) -> dict:
    """Send one push message; a repeated call with the same key does not send it again."""
    key = idempotency_key(ctx)
    return deliver_once(key, "push", push.user_id, lambda: hand_to_push(push, key))


def idempotency_key(ctx: wf.WorkflowActivityContext) -> str:
    """The same for every try of one call: retries by policy, and runs after a crash."""
    return ctx.get_inner_context().task_execution_id


# --- delivery --------------------------------------------------------------------------------


def deliver_once(key: str, channel: str, recipient: str, hand_over: Callable[[], None]) -> dict:
    """Hand a message over, unless the ledger says that it was delivered before.

    A crash between handing over and noting it makes a second message: at least once, not exactly
    once. The key travels with the message, so that the receiver can tell.
    """
    with closing(ledger()) as db, db:
        db.execute("INSERT INTO attempts VALUES (?, ?, ?, ?)", (key, channel, recipient, now()))
        earlier = db.execute("SELECT sent_at FROM deliveries WHERE key = ?", (key,)).fetchone()
    if earlier is None:
        hand_over()
        time.sleep(SLOW_SECONDS)
        with closing(ledger()) as db, db:
            row = (key, channel, recipient, now())
            db.execute("INSERT OR IGNORE INTO deliveries VALUES (?, ?, ?, ?)", row)
    log("skipped" if earlier else "sent", channel=channel, recipient=recipient, key=key)
    sent_at = earlier[0] if earlier else row[3]
    return {"sent": True, "channel": channel, "recipient": recipient, "sent_at": sent_at}


def hand_to_smtp(mail: Email, key: str) -> None:
    message = EmailMessage()
    message["From"], message["To"] = "tasks@example.com", mail.recipient
    message["Subject"], message["X-Idempotency-Key"] = mail.subject, key
    message.set_content(mail.body)
    try:
        with smtplib.SMTP(SMTP_HOST, SMTP_PORT, timeout=5) as server:
            server.send_message(message)
    except ConnectionRefusedError as problem:
        raise ConnectionError(f"no mail server at {SMTP_HOST}:{SMTP_PORT}") from problem


def hand_to_push(push: Push, key: str) -> None:
    with closing(ledger()) as db, db:
        row = (key, push.user_id, push.title, push.message)
        db.execute("INSERT INTO pushes VALUES (?, ?, ?, ?)", row)


def ledger() -> sqlite3.Connection:
    db = sqlite3.connect(LEDGER, timeout=10)
    db.executescript(
        """
        CREATE TABLE IF NOT EXISTS attempts (key, channel, recipient, started_at);
        CREATE TABLE IF NOT EXISTS deliveries (key PRIMARY KEY, channel, recipient, sent_at);
        CREATE TABLE IF NOT EXISTS pushes (key, user_id, title, message);
        """
    )
    return db


def now() -> str:
    return datetime.now(timezone.utc).isoformat()


def log(event: str, **facts: object) -> None:
    line = {"at": now(), "service": "notification-service", "event": event, **facts}
    print(json.dumps(line), flush=True)


# --- the service: HTTP for people and probes, a worker for workflows --------------------------


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


@asynccontextmanager
async def lifespan(app: FastAPI):
    threading.Thread(target=connect, daemon=True).start()
    yield
    wfr.shutdown()


app = FastAPI(lifespan=lifespan)


@app.get("/health")
def health() -> dict:
    return {"status": "healthy", "service": "notification-service"}


if __name__ == "__main__":
    port = int(os.environ.get("APP_PORT", "8001"))
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")
