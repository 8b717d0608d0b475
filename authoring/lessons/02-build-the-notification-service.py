# %% [markdown] tags=["opening"]
# # Build the notification service
#
# **You will** write a real service in five steps, try each step, ask the sidecar what it knows about the service, and test two lines of a copied example. 40 minutes.
#
# **You will be able to**
#
# - build a service whose activities other apps can call
# - locate what a sidecar reports about a service, and what it does not
# - test two lines of a copied example against the runtime
#
# **You need** lesson 00.
#
# Words: [glossary](../docs/glossary.md).
#
# First, three questions from earlier lessons, from memory.

# %% tags=["recall"]
import sys

from labkit import Lab, finish, observe, predict, quiz, workspace

quiz("who-is-killed")

# %% tags=["recall"]
quiz("plan-in-memory")

# %% tags=["recall"]
quiz("reason-to-split")

# %% [markdown] tags=["story"]
# ## A copied example
#
# The notification team gets its own service. A colleague found an example on the web that puts the decorators on the module `wf`. The next cell saves the core of it.

# %% tags=["write"]
# %%workfile 02/copied/main.py
import dapr.ext.workflow as wf


@wf.activity(name="send_email")
def send_email(ctx, mail):
    return {"sent": True}

# %% [markdown] tags=["predict"]
# *What happens when you import it and call `send_email`?*

# %% tags=["predict"]
predict("module-decorator", ["it runs", "it fails on import", "it fails at the first call"])

# %% tags=["run"]
import subprocess

folder = workspace("02")
start = [sys.executable, "-c", "import main; print('imported'); main.send_email(None, {})"]
copied = subprocess.run(
    start, cwd=folder / "copied", capture_output=True, text=True, timeout=60
)
print("exit code", copied.returncode, *copied.stderr.splitlines()[-1:])
when = "at the first call" if "imported" in copied.stdout else "on import"
observe("module-decorator", f"it fails {when}" if copied.returncode else "it runs")

# %% [markdown] tags=["explain"]
# The module has no such decorators. They are methods of a `WorkflowRuntime`: the object that connects to the sidecar also holds the list of what it can run.
#
# ## Step 1: the runtime, and the settings
#
# The file grows in five parts, one cell each (`--part`); each cell can be run again without losing the others. Settings come from the environment, so that the same file runs anywhere.

# %% tags=["write"]
# %%workfile 02/notification-service/main.py --part 1
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

# %% [markdown] tags=["text"]
# ## Step 2: the activities
#
# Callers send JSON. As the argument is annotated (`mail: Email`), the SDK makes that Pydantic model of the JSON, and the model checks it on arrival. `task_execution_id` names one call and stays the same over all its retries: a key by which a repeated call is recognised. Save this part, then try it with a mail that is incomplete.

# %% tags=["write"]
# %%workfile 02/notification-service/main.py --part 2
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

# %% tags=["code"]
from pydantic import ValidationError

sys.path.insert(0, str(folder / "notification-service"))
import main as service

try:
    service.Email(recipient="alice@example.com", subject="Hello")
except ValidationError as refused:
    print([(*problem["loc"], problem["msg"]) for problem in refused.errors()])

# %% [markdown] tags=["text"]
# ## Step 3: deliver once
#
# The model refused the mail and named the missing field. Next: lesson 01 showed that an interrupted step runs again. So the service records each delivery under its key, and skips a key that was already delivered.

# %% tags=["write"]
# %%workfile 02/notification-service/main.py --part 3
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

# %% [markdown] tags=["text"]
# ## Step 4: hand over, record, log
#
# Mails go out by SMTP. Logs are one JSON object per line, for programs to read. Save this part, then deliver twice with one key. (`now` is replaced, so that the log lines stay the same.)

# %% tags=["write"]
# %%workfile 02/notification-service/main.py --part 4
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

# %% tags=["code"]
import importlib

importlib.reload(service)
service.now = lambda: "12:00"
service.LEDGER = str(folder / "try.sqlite")
(folder / "try.sqlite").unlink(missing_ok=True)
for attempt in (1, 2):
    service.deliver_once("key-1", "email", "alice@example.com", lambda: print("handed over"))

# %% [markdown] tags=["text"]
# ## Step 5: the service around it
#
# The second call with the same key handed nothing over: it was skipped. The last part starts the worker and the HTTP server. Without a sidecar, `wfr.start()` waits forever. So it runs in a thread of its own with a time limit, and the service ends with a clear message.

# %% tags=["write"]
# %%workfile 02/notification-service/main.py --part 5
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

# %% [markdown] tags=["text"]
# ## A caller
#
# `tester` is a second app. It has one workflow that sends a mail, and one for a question further below.

# %% tags=["write"]
# %%workfile 02/tester/main.py
import signal

import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()


@wfr.workflow(name="send_one")
def send_one(ctx, mail):
    return (yield ctx.call_activity("send_email", input=mail, app_id="notification-service"))


@wfr.activity(name="stamp")
def stamp(ctx, given):
    return ctx.current_utc_datetime.isoformat()


@wfr.workflow(name="stamp_it")
def stamp_it(ctx, given):
    return (yield ctx.call_activity(stamp))


wfr.start()
signal.pause()

# %% tags=["write"]
# %%workfile 02/dapr.yaml
version: 1
common:
  resourcesPath: components
apps:
  - appID: notification-service
    appDirPath: notification-service
    command: ["python3", "main.py"]
  - appID: tester
    appDirPath: tester
    command: ["python3", "main.py"]

# %% tags=["code"]
import httpx

lab = Lab(folder / "dapr.yaml")
lab.up()
notification = lab.app("notification-service")
print(httpx.get(f"{notification.url}/health", timeout=10).json())

# %% tags=["code"]
mail = {"recipient": "alice@example.com", "subject": "Hello", "body": "from my own service"}
tester = lab.client("tester")
tester.schedule_new_workflow("send_one", input=mail, instance_id="one")
print(lab.run("one").wait().status)
lab.inbox

# %% [markdown] tags=["predict"]
# ## What does the sidecar know?
#
# A sidecar describes itself under `/v1.0/metadata`. *What will it report about your service: how many workers are connected, the names of its activities, or both?*

# %% tags=["predict"]
predict("metadata-knows", ["workers", "activity names", "workers and activity names"])

# %% tags=["run"]
reported = notification.metadata()
workers = reported.get("workflows", {}).get("connectedWorkers", 0)
print("connected workers:", workers)
for actor in sorted(reported["actorRuntime"]["activeActors"], key=lambda a: a["type"]):
    print("actor type:", actor["type"])
known = {"workers": workers > 0, "activity names": "send_email" in str(reported)}
observe("metadata-knows", " and ".join(what for what in known if known[what]) or "neither")

# %% [markdown] tags=["explain"]
# The sidecar counts connected workers and offers **actor types**: one for all workflows of the app, one for all its activities, and one that cleans up. It does not know the names of activities and workflows. These live in your process and are looked up when work arrives. So no API can list them: a wrong name shows only when it is called.
#
# > The lesson [Multi-App Workflows](https://agentfactory.panaversity.org/docs/Deploying-Agent-Factories-in-the-Cloud/dapr-actors-workflows/multi-app-workflows) of the Agent Factory book reads registered activities from `activeActors`. On 1.18.1 there are actor types only, as Dapr's [metadata API reference](https://docs.dapr.io/reference/api/metadata_api/) says.

# %% tags=["quiz"]
quiz("not-knowable")

# %% [markdown] tags=["predict"]
# ## Which clock?
#
# The copied example also puts a time into its answer, with `ctx.current_utc_datetime`, inside the activity. So does `stamp`, which `stamp_it` calls. *How does this workflow end?*

# %% tags=["predict"]
predict("clock-in-activity", ["COMPLETED", "FAILED", "it stays RUNNING"])

# %% tags=["run"]
tester.schedule_new_workflow("stamp_it", instance_id="clock")
run = lab.run("clock")
ended = run.settle()
print(run.failure.message if run.failure else run.output)
observe("clock-in-activity", "it stays RUNNING" if ended == "RUNNING" else ended)

# %% [markdown] tags=["explain"]
# Only the context of a workflow has that clock. Its value comes from the history, so that it is the same in each **replay**: the workflow function runs again from its first line, and takes the results of recorded steps from the history. An activity is not replayed. It reads the real time: `datetime.now(timezone.utc)`, as `now()` in your service does.

# %% tags=["quiz"]
quiz("which-clock")

# %% [markdown] tags=["change"]
# ## Change something: no sidecar
#
# Start your service without a sidecar. It waits one second, then gives up. Change `SIDECAR_SECONDS`, then the message in part 5, and run again.

# %% tags=["change"]
start = [sys.executable, folder / "notification-service" / "main.py"]
alone = {"DAPR_GRPC_PORT": "1", "SIDECAR_SECONDS": "1", "APP_PORT": "0", "PYTHONUNBUFFERED": "1"}
ended = subprocess.run(start, env=alone, capture_output=True, text=True, timeout=60)
print("exit code", ended.returncode, "-", ended.stdout.splitlines()[-1])

# %% [markdown] tags=["close"]
# ## What you can now do
#
# You built a service whose activities other apps can call by its app ID. You know what its sidecar reports: workers and actor types, never names.
#
# [Claims](../docs/claims.md) you have seen: decorators belong to a `WorkflowRuntime`; an activity has no `current_utc_datetime`; the metadata lists no activities.
#
# Next: lesson 03 calls the service from the task system.

# %% tags=["close"]
lab.down()
finish("02-build-the-notification-service")
