"""shipping-service: schedules the delivery of orders, and cancels it.

A row in ``deliveries`` is a parcel that a van will take.
"""

import json
import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timezone

import dapr.ext.workflow as wf
from pydantic import BaseModel

LEDGER = os.environ.get("LEDGER", "ledger.sqlite")
SERVED = ("BE", "DE", "FR", "IS", "NL")
SILENT = ("IS",)  # the carrier there takes a parcel and never says that it did
SIDECAR_SECONDS = float(os.environ.get("SIDECAR_SECONDS", "10"))

wfr = wf.WorkflowRuntime()


class Order(BaseModel):
    order_id: str
    item: str
    quantity: int
    country: str = "NL"

    @property
    def key(self) -> str:
        """By what a delivery is found: the order and the step, the same for step and cancel.

        Not the ``task_execution_id``: that names one call of one activity, so a cancellation
        could not name its delivery; and an order that is sent a second time, in a workflow of its
        own, would be delivered twice.
        """
        return f"{self.order_id}/deliver"


# --- the activities: what other apps may call ------------------------------------------------


@wfr.activity(name="schedule_delivery")
def schedule_delivery(ctx: wf.WorkflowActivityContext, order: Order) -> dict:
    """Schedule the delivery of an order; a repeated call schedules nothing more."""
    with transaction(order.key, "schedule_delivery") as db:
        query = "SELECT item, quantity, cancelled_at FROM deliveries WHERE key = ?"
        if earlier := db.execute(query, (order.key,)).fetchone():
            answer = answer_again(earlier, (order.item, order.quantity))
        elif order.country not in SERVED:
            answer = {"refused": f"no deliveries to {order.country}"}
        else:
            row = (order.key, order.order_id, order.item, order.quantity)
            db.execute("INSERT INTO deliveries VALUES (?, ?, ?, ?, NULL)", row)
            answer = {"scheduled": order.quantity}
    if order.country in SILENT and "scheduled" in answer:
        raise TimeoutError("the carrier took the parcel and does not answer")
    return answer


def answer_again(earlier: tuple, asked: tuple) -> dict:
    *scheduled, cancelled_at = earlier
    if cancelled_at:
        return {"refused": "this order was undone before"}
    if tuple(scheduled) != asked:
        return {"refused": "this order ID was used for other goods"}
    return {"scheduled": scheduled[1]}


@wfr.activity(name="cancel_delivery")
def cancel_delivery(ctx: wf.WorkflowActivityContext, order: Order) -> dict:
    """Cancel a delivery; a repeated call changes nothing more.

    A cancellation may come before its delivery, when that is slow. It then leaves a row that is
    cancelled and has no quantity, and the delivery that comes late finds it and is refused.
    """
    with transaction(order.key, "cancel_delivery") as db:
        query = "SELECT quantity, cancelled_at FROM deliveries WHERE key = ?"
        found = db.execute(query, (order.key,)).fetchone()
        quantity, cancelled_at = found or (None, None)
        if found is None:
            row = (order.key, order.order_id, order.item, now())
            db.execute("INSERT INTO deliveries VALUES (?, ?, ?, NULL, ?)", row)
        elif cancelled_at is None:
            update = "UPDATE deliveries SET cancelled_at = ? WHERE key = ?"
            db.execute(update, (now(), order.key))
    return {"undone": quantity is not None}


# --- the ledger ------------------------------------------------------------------------------


@contextmanager
def transaction(key: str, activity: str) -> Iterator[sqlite3.Connection]:
    """Note the attempt; then one transaction for the effect and the note of its key.

    A crash leaves both or none of them, so the next try knows what the last one did.
    """
    with closing(sqlite3.connect(LEDGER, timeout=2)) as db:
        with db:
            db.execute("INSERT INTO attempts VALUES (?, ?, ?)", (key, activity, now()))
        with db:
            db.execute("BEGIN IMMEDIATE")
            yield db
    log(activity, key=key)


def open_ledger() -> None:
    with closing(sqlite3.connect(LEDGER, timeout=2)) as db:
        db.executescript(
            """
            CREATE TABLE IF NOT EXISTS deliveries
                (key PRIMARY KEY, order_id, item, quantity CHECK (quantity > 0), cancelled_at);
            CREATE TABLE IF NOT EXISTS attempts (key, activity, started_at);
            """
        )


def now() -> str:
    return datetime.now(timezone.utc).isoformat()


def log(event: str, **facts: object) -> None:
    line = {"at": now(), "service": "shipping-service", "event": event, **facts}
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
    open_ledger()
    threading.Thread(target=connect, daemon=True).start()
    ended.wait()
    wfr.shutdown()


if __name__ == "__main__":
    main()
