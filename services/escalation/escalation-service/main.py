"""escalation-service: waits for people, reminds them, and asks the manager when nobody answers.

It hosts two workflows. `task_escalation` waits for the events `task_done` and `approval`, each
until a deadline; `task_watch` takes the event `change` again and again. Mails are sent by
notification-service.
"""

import json
import os
import signal
import sqlite3
import threading
from contextlib import closing, suppress
from datetime import datetime, timedelta, timezone

import dapr.ext.workflow as wf

NOTIFICATIONS = "notification-service"
LEDGER = os.environ.get("LEDGER", "ledger.sqlite")
REMIND_AFTER = timedelta(seconds=float(os.environ.get("REMIND_SECONDS", "3")))
ESCALATE_AFTER = timedelta(seconds=float(os.environ.get("ESCALATE_SECONDS", "3")))
APPROVAL_WITHIN = timedelta(seconds=float(os.environ.get("APPROVAL_SECONDS", "3")))
CHANGES_EACH = int(os.environ.get("CHANGES_EACH", "10"))
SIDECAR_SECONDS = float(os.environ.get("SIDECAR_SECONDS", "10"))

wfr = wf.WorkflowRuntime()


# --- the workflows ---------------------------------------------------------------------------


@wfr.workflow(name="task_escalation")
def task_escalation(ctx: wf.DaprWorkflowContext, task: dict):
    """Assign a task and wait until it is done; remind the assignee, then ask the manager."""
    yield ctx.call_activity(assign_task, input={**task, "assignee": task["assignee_email"]})
    yield mail(ctx, task["assignee_email"], "Task assigned", task)
    done = yield from event_within(ctx, "task_done", REMIND_AFTER)
    if done is None:
        yield mail(ctx, task["assignee_email"], "Reminder", task)
        done = yield from event_within(ctx, "task_done", ESCALATE_AFTER)
    if done is not None:
        return result(task, "done", done)
    yield mail(ctx, task["manager_email"], "Please decide", task)
    answer = yield from event_within(ctx, "approval", APPROVAL_WITHIN)
    if answer is None:
        return result(task, "timed out")
    if not answer.get("approved"):
        return result(task, "kept", answer)
    yield ctx.call_activity(assign_task, input={**task, "assignee": task["manager_email"]})
    return result(task, "reassigned", answer)


@wfr.workflow(name="task_watch")
def task_watch(ctx: wf.DaprWorkflowContext, state: dict):
    """Note each change of a task, one after the other, until it is closed."""
    for _ in range(CHANGES_EACH):
        change = (yield ctx.wait_for_external_event("change")) or {"what": "not said"}
        state = {**state, "changes": state.get("changes", 0) + 1}
        yield ctx.call_activity(note_change, input={**change, "task_id": state["task_id"]})
        if change["what"] == "closed":
            return state
    # A new run with a short history. It starts with the changes that came and were not taken yet.
    ctx.continue_as_new(state, save_events=True)


def event_within(ctx: wf.DaprWorkflowContext, name: str, patience: timedelta):
    """Return the data of an event, or None when it has not come in time."""
    try:
        data = yield ctx.wait_for_external_event(name, timeout=patience)
    except TimeoutError:
        return None
    return data or {}


def mail(ctx: wf.DaprWorkflowContext, recipient: str, subject: str, task: dict):
    message = {
        "recipient": recipient,
        "subject": f"{subject}: {task['title']}",
        "body": f"Task {task['task_id']}.",
    }
    return ctx.call_activity("send_email", input=message, app_id=NOTIFICATIONS)


def result(task: dict, status: str, answer: dict | None = None) -> dict:
    return {"task_id": task["task_id"], "status": status, "by": (answer or {}).get("by")}


# --- the activities that run here ------------------------------------------------------------


@wfr.activity(name="assign_task")
def assign_task(ctx: wf.WorkflowActivityContext, task: dict) -> dict:
    """Give a task to somebody; written to the ledger once."""
    note("assignments", key_of(ctx), task["task_id"], task["assignee"])
    return {"assigned": True, "assignee": task["assignee"]}


@wfr.activity(name="note_change")
def note_change(ctx: wf.WorkflowActivityContext, change: dict) -> dict:
    """Write a change to the ledger, once."""
    note("changes", key_of(ctx), change["task_id"], change["what"])
    return {"noted": True}


def key_of(ctx: wf.WorkflowActivityContext) -> str:
    """The same for every try of one call."""
    return ctx.get_inner_context().task_execution_id


def note(table: str, *row: str) -> None:
    with closing(sqlite3.connect(LEDGER, timeout=10)) as db, db:
        db.executescript(
            """
            CREATE TABLE IF NOT EXISTS assignments (key PRIMARY KEY, task_id, assignee);
            CREATE TABLE IF NOT EXISTS changes (key PRIMARY KEY, task_id, what);
            """
        )
        db.execute(f"INSERT OR IGNORE INTO {table} VALUES (?, ?, ?)", row)
    log(table, row=row)


def log(event: str, **facts: object) -> None:
    at = datetime.now(timezone.utc).isoformat()
    line = {"at": at, "service": "escalation-service", "event": event, **facts}
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
