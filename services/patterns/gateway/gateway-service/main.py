"""gateway-service: the one door for clients; decides which service is asked, and in which order."""

import json
import os
import signal
import threading
from contextlib import suppress
from datetime import datetime, timedelta, timezone

import dapr.ext.workflow as wf

USERS = "user-service"
TASKS = "task-service"
NOTIFICATIONS = "notification-service"
BILLING = "billing-service"
RETRIES = wf.RetryPolicy(first_retry_interval=timedelta(seconds=0.5), max_number_of_attempts=3)
SIDECAR_SECONDS = float(os.environ.get("SIDECAR_SECONDS", "10"))

wfr = wf.WorkflowRuntime()


@wfr.workflow(name="process_user_request")
def process_user_request(ctx: wf.DaprWorkflowContext, request: dict):
    """Turn a user's request into a task: noted, made known, charged."""
    task = {"task_id": request["task_id"], "title": request["title"]}
    user = yield ctx.call_activity("get_user", input=request["user_id"], app_id=USERS)
    yield ctx.call_activity("create_task", input=task, app_id=TASKS)
    audience = [user["email"], user["manager_email"]]
    sent = yield from inform(ctx, task, audience)
    charge = {"task_id": task["task_id"], "user_id": user["user_id"]}
    yield ctx.call_activity("charge_user", input=charge, app_id=BILLING)
    change = {"user_id": user["user_id"], "last_task": task["task_id"]}
    yield ctx.call_activity("update_user", input=change, app_id=USERS)
    noted = yield ctx.call_activity("get_task", input=task["task_id"], app_id=TASKS)
    return {"task_id": noted["task_id"], "status": "completed", "mails": sent}


def inform(ctx: wf.DaprWorkflowContext, task: dict, audience: list):
    """Inform each of the audience; one who cannot be reached does not stop the request."""
    sent = 0
    for recipient in audience:
        request = {"recipient": recipient, **task}
        try:
            yield ctx.call_activity(
                "send_notification", input=request, app_id=NOTIFICATIONS, retry_policy=RETRIES
            )
            sent += 1
        except wf.TaskFailedError as failure:
            if not ctx.is_replaying:
                log("given_up", recipient=recipient, error=failure.details.message)
    return sent


# --- log and worker --------------------------------------------------------------------------


def log(event: str, **facts: object) -> None:
    at = datetime.now(timezone.utc).isoformat()
    entry = {"at": at, "service": "gateway-service", "event": event, **facts}
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
