"""order-api: takes orders and sees each of them through to an end.

It hosts two sagas. Each step is an activity of another app, and each step that can be undone has
a compensation there.
"""

import json
import os
import re
import signal
import sqlite3
import threading
from contextlib import closing, suppress
from datetime import datetime, timedelta, timezone

import dapr.ext.workflow as wf
from pydantic import BaseModel, Field, ValidationError, field_validator

NOTIFICATIONS = "notification-service"
APP_OF = {
    "reserve_inventory": "inventory-service",
    "release_inventory": "inventory-service",
    "charge_payment": "payment-service",
    "refund_payment": "payment-service",
    "schedule_delivery": "shipping-service",
    "cancel_delivery": "shipping-service",
}
LEDGER = os.environ.get("LEDGER", "ledger.sqlite")
APPROVAL_FROM = 1000
APPROVAL_SECONDS = float(os.environ.get("APPROVAL_SECONDS", "10"))
PATIENCE = timedelta(seconds=3)
SIDECAR_SECONDS = float(os.environ.get("SIDECAR_SECONDS", "10"))

wfr = wf.WorkflowRuntime()


class Order(BaseModel):
    order_id: str = Field(min_length=1)
    item: str = Field(min_length=1)
    quantity: int = Field(gt=0)
    amount: int = Field(gt=0)  # whole units of the currency: money is never a float
    customer_email: str
    card: str = "4242"
    country: str = "NL"

    @field_validator("customer_email")
    @classmethod
    def is_address(cls, value: str) -> str:
        if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value):
            raise ValueError("is not an e-mail address")
        return value


class Refused(Exception):
    """A step answered that it will not do this: no retry can change that."""


# --- how often a call is tried ---------------------------------------------------------------


def tries(attempts: int, first: float, longest: float = 5) -> wf.RetryPolicy:
    return wf.RetryPolicy(
        first_retry_interval=timedelta(seconds=first),
        max_number_of_attempts=attempts,
        backoff_coefficient=2.0,
        max_retry_interval=timedelta(seconds=longest),
    )


# A step may give up soon: the order is then undone, and a customer is waiting. A compensation
# has nothing to fall back on, so it is tried for longer. A refusal is an answer and not retried.
POLICY = {
    "validate_order": tries(3, first=0.2),
    "reserve_inventory": tries(3, first=0.2),
    "charge_payment": tries(3, first=0.5),
    "schedule_delivery": tries(4, first=0.5),
    "release_inventory": tries(6, first=0.5),
    "refund_payment": tries(6, first=0.5),
    "cancel_delivery": tries(6, first=0.5),
    "send_email": tries(3, first=1),
}


# --- the sagas -------------------------------------------------------------------------------


@wfr.workflow(name="ship_order")
def ship_order(ctx: wf.DaprWorkflowContext, order: dict):
    """Reserve goods, then schedule their delivery; release them if it cannot be scheduled."""
    undo = ["release_inventory"]
    try:
        yield from step(ctx, "reserve_inventory", order)
        yield from step(ctx, "schedule_delivery", order)
    except (Refused, wf.TaskFailedError) as failure:
        outcome = yield from compensate(ctx, undo, order)
        return result(order, "cancelled", reason=str(failure), **outcome)
    return result(order, "fulfilled", undone=[])


@wfr.workflow(name="fulfil_order")
def fulfil_order(ctx: wf.DaprWorkflowContext, order: dict):
    """Reserve, charge, schedule the delivery; if a step fails, undo what came before it.

    ``schedule_delivery`` is the pivot: before it everything can be undone, after it the order
    goes forward only. What comes after it is best effort.
    """
    policy = POLICY["validate_order"]
    check = yield ctx.call_activity(validate_order, input=order, retry_policy=policy)
    if not check["valid"]:
        return result(order, "rejected", reasons=check["reasons"], undone=[])
    order = check["order"]
    undo: list[str] = []
    try:
        # The compensation is noted before its step is called: a step that fails may have done
        # its work all the same, and lost only its answer.
        undo.append("release_inventory")
        yield from step(ctx, "reserve_inventory", order)
        if check["approve_within"]:
            yield from approval(ctx, check["approve_within"])
        undo.append("refund_payment")
        yield from step(ctx, "charge_payment", order)
        undo.append("cancel_delivery")
        yield from step(ctx, "schedule_delivery", order)
    except (Refused, wf.TaskFailedError) as failure:
        outcome = yield from compensate(ctx, undo, order)
        return result(order, "cancelled", reason=str(failure), **outcome)
    confirmed = yield from confirm(ctx, order)
    return result(order, "fulfilled", undone=[], confirmed=confirmed)


def step(ctx: wf.DaprWorkflowContext, name: str, order: dict):
    """Call a step in its app; raise what it refuses, so that a failure has one way out."""
    answer = yield ctx.call_activity(
        name, input=order, app_id=APP_OF[name], retry_policy=POLICY[name]
    )
    if "refused" in answer:
        raise Refused(answer["refused"])
    return answer


def compensate(ctx: wf.DaprWorkflowContext, undo: list[str], order: dict):
    """Call the compensations, the last one first; say which did something, and which could not."""
    undone, not_undone = [], []
    for name in reversed(undo):
        try:
            answer = yield from step(ctx, name, order)
        except (Refused, wf.TaskFailedError) as failure:
            not_undone.append({"step": name, "reason": str(failure)})
        else:
            undone += [name] if answer["undone"] else []
    return {"undone": undone, "not_undone": not_undone}


def approval(ctx: wf.DaprWorkflowContext, seconds: float):
    """Wait for somebody's yes; no answer in time is a no."""
    answer = ctx.wait_for_external_event("approval")
    late = ctx.create_timer(timedelta(seconds=seconds))
    winner = yield wf.when_any([answer, late])
    if winner is late:
        raise Refused(f"nobody approved it within {seconds:g} s")
    said = answer.get_result()
    if not isinstance(said, dict) or said.get("approved") is not True:
        raise Refused("it was not approved")


def confirm(ctx: wf.DaprWorkflowContext, order: dict):
    """Return whether the confirmation was sent in time.

    The remote call stands in a child workflow that races with a timer, for a call to an app that
    is not running would hold up the order. The child goes on and delivers later.
    """
    child = ctx.call_child_workflow(
        send_confirmation, input=order, instance_id=f"{ctx.instance_id}-confirmation"
    )
    winner = yield wf.when_any([child, ctx.create_timer(PATIENCE)])
    return winner is child and not child.is_failed


@wfr.workflow(name="send_confirmation")
def send_confirmation(ctx: wf.DaprWorkflowContext, order: dict):
    """Send the mail that confirms an order."""
    mail = {
        "recipient": order["customer_email"],
        "subject": f"Order {order['order_id']} is on its way",
        "body": f"{order['quantity']} x {order['item']}, {order['amount']} in all.",
    }
    return (
        yield ctx.call_activity(
            "send_email", input=mail, app_id=NOTIFICATIONS, retry_policy=POLICY["send_email"]
        )
    )


# --- the activity that runs here -------------------------------------------------------------


@wfr.activity(name="validate_order")
def validate_order(ctx: wf.WorkflowActivityContext, order: dict) -> dict:
    """Say whether an order can be worked on, and whether somebody must approve it."""
    try:
        checked = Order.model_validate(order)
    except ValidationError as problem:
        reasons = [f"{e['loc'][0] if e['loc'] else 'order'}: {e['msg']}" for e in problem.errors()]
        return {"valid": False, "reasons": reasons}
    if not is_ours(checked):
        return {"valid": False, "reasons": ["order_id: it was used for another order"]}
    # The time-out is part of the answer, so it stands in the history: a restart with another
    # setting does not change orders that are under way.
    seconds = APPROVAL_SECONDS if checked.amount >= APPROVAL_FROM else None
    log("validated", order_id=checked.order_id)
    return {"valid": True, "order": checked.model_dump(), "approve_within": seconds}


def is_ours(order: Order) -> bool:
    """Note an order under its ID; return False when that ID has another order.

    Everything that is done for an order is found by its ID, so two orders cannot share one.
    """
    text = order.model_dump_json()
    with closing(sqlite3.connect(LEDGER, timeout=2)) as db, db:
        db.execute("CREATE TABLE IF NOT EXISTS orders (order_id PRIMARY KEY, text)")
        db.execute("INSERT OR IGNORE INTO orders VALUES (?, ?)", (order.order_id, text))
        query = "SELECT text FROM orders WHERE order_id = ?"
        return bool(db.execute(query, (order.order_id,)).fetchone() == (text,))


def result(order: object, status: str, **more: object) -> dict:
    """A plain dict: every language can read it."""
    order_id = order.get("order_id") if isinstance(order, dict) else None
    return {"order_id": order_id, "status": status, **more}


def log(event: str, **facts: object) -> None:
    at = datetime.now(timezone.utc).isoformat()
    print(json.dumps({"at": at, "service": "order-api", "event": event, **facts}), flush=True)


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
