"""notification-service: informs people, and owns how that is done."""

import json
import os
import signal
import smtplib
import sqlite3
import threading
import time
from contextlib import closing, suppress
from datetime import datetime, timedelta, timezone
from email.message import EmailMessage

import dapr.ext.workflow as wf

SMTP_HOST = os.environ.get("SMTP_HOST", "127.0.0.1")
SMTP_PORT = int(os.environ.get("SMTP_PORT", "1025"))
LEDGER = os.environ.get("LEDGER", "ledger.sqlite")
# A slow provider: seconds between handing a mail over and noting that it was delivered.
SLOW_SECONDS = float(os.environ.get("SLOW_SECONDS", "0"))
RETRIES = wf.RetryPolicy(first_retry_interval=timedelta(seconds=0.5), max_number_of_attempts=3)
SIDECAR_SECONDS = float(os.environ.get("SIDECAR_SECONDS", "10"))

wfr = wf.WorkflowRuntime()


@wfr.workflow(name="notification_campaign")
def notification_campaign(ctx: wf.DaprWorkflowContext, campaign: dict):
    """Send one mail to each of the audience; other apps call this as a child workflow."""
    sent = 0
    for recipient in campaign["audience"]:
        mail = {
            "recipient": recipient,
            "subject": f"Task assigned: {campaign['title']}",
            "body": f"Task {campaign['task_id']} was assigned.",
        }
        try:
            yield ctx.call_activity(send_email, input=mail, retry_policy=RETRIES)
            sent += 1
        except wf.TaskFailedError as failure:
            if not ctx.is_replaying:
                log("given_up", recipient=recipient, error=failure.details.message)
    return {"sent": sent, "of": len(campaign["audience"])}


# --- its activity ----------------------------------------------------------------------------


@wfr.activity(name="send_email")
def send_email(ctx: wf.WorkflowActivityContext, mail: dict) -> dict:
    """Send one mail; a repeated call with the same key does not send it again."""
    key = ctx.get_inner_context().task_execution_id
    row = (key, "email", mail["recipient"], now())
    with closing(ledger()) as db, db:
        db.execute("INSERT INTO attempts VALUES (?, ?, ?, ?)", row)
        earlier = db.execute("SELECT 1 FROM deliveries WHERE key = ?", (key,)).fetchone()
    if not earlier:
        hand_over(mail, key)
        time.sleep(SLOW_SECONDS)
        with closing(ledger()) as db, db:
            db.execute("INSERT OR IGNORE INTO deliveries VALUES (?, ?, ?, ?)", row)
    log("skipped" if earlier else "sent", recipient=mail["recipient"], key=key)
    return {"sent": True, "recipient": mail["recipient"]}


def hand_over(mail: dict, key: str) -> None:
    message = EmailMessage()
    message["From"], message["To"] = "tasks@example.com", mail["recipient"]
    message["Subject"], message["X-Idempotency-Key"] = mail["subject"], key
    message.set_content(mail["body"])
    try:
        with smtplib.SMTP(SMTP_HOST, SMTP_PORT, timeout=5) as server:
            server.send_message(message)
    except ConnectionRefusedError as problem:
        raise ConnectionError("no mail server") from problem


def ledger() -> sqlite3.Connection:
    db = sqlite3.connect(LEDGER, timeout=10)
    db.executescript(
        """
        CREATE TABLE IF NOT EXISTS attempts (key, channel, recipient, started_at);
        CREATE TABLE IF NOT EXISTS deliveries (key PRIMARY KEY, channel, recipient, sent_at);
        """
    )
    return db


def now() -> str:
    return datetime.now(timezone.utc).isoformat()


# --- log and worker --------------------------------------------------------------------------


def log(event: str, **facts: object) -> None:
    at = datetime.now(timezone.utc).isoformat()
    entry = {"at": at, "service": "notification-service", "event": event, **facts}
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
