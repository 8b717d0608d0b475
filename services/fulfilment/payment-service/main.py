"""payment-service: charges cards for orders, and refunds them.

Its ledger stands for the bank: a row in ``payments`` is money that was taken.
"""

import json
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timezone

import dapr.ext.workflow as wf
from pydantic import BaseModel

LEDGER = os.environ.get("LEDGER", "ledger.sqlite")
# A bank abroad: seconds between taking the money and its answer that it was taken.
ABROAD_SECONDS = float(os.environ.get("ABROAD_SECONDS", "20"))
SIDECAR_SECONDS = float(os.environ.get("SIDECAR_SECONDS", "10"))

wfr = wf.WorkflowRuntime()


class Order(BaseModel):
    order_id: str
    amount: int
    card: str = "4242"

    @property
    def key(self) -> str:
        """By what a payment is found: the order and the step, the same for charge and refund.

        Not the ``task_execution_id``: that names one call of one activity, so a refund could not
        name the payment that it returns; and an order that is sent a second time, in a workflow
        of its own, would be charged twice.
        """
        return f"{self.order_id}/charge"


# --- the activities: what other apps may call ------------------------------------------------


@wfr.activity(name="charge_payment")
def charge_payment(ctx: wf.WorkflowActivityContext, order: Order) -> dict:
    """Charge the card of an order; a repeated call charges nothing more."""
    with transaction(order.key, "charge_payment") as db:
        query = "SELECT amount, refunded_at FROM payments WHERE key = ?"
        earlier = db.execute(query, (order.key,)).fetchone()
        if earlier:
            answer = answer_again(earlier[0], earlier[1], order.amount)
        elif order.card == "declined":
            answer = {"refused": "the card was declined"}
        else:
            row = (order.key, order.order_id, order.amount)
            db.execute("INSERT INTO payments VALUES (?, ?, ?, NULL)", row)
            answer = {"charged": order.amount}
    if order.card == "silent" and "charged" in answer:
        raise TimeoutError("the bank took the money and does not answer")
    time.sleep(ABROAD_SECONDS if order.card == "abroad" and not earlier else 0)
    return answer


def answer_again(amount: int | None, refunded_at: str | None, asked: int) -> dict:
    if refunded_at:
        return {"refused": "this order was undone before"}
    if amount != asked:
        return {"refused": "this order ID was used for another amount"}
    return {"charged": amount}


@wfr.activity(name="refund_payment")
def refund_payment(ctx: wf.WorkflowActivityContext, order: Order) -> dict:
    """Return the money of an order; a repeated call returns nothing more.

    A refund may come before its charge, when that is slow. It then leaves a row that is refunded
    and has no amount, and the charge that comes late finds it and is refused.
    """
    with transaction(order.key, "refund_payment") as db:
        query = "SELECT amount, refunded_at FROM payments WHERE key = ?"
        found = db.execute(query, (order.key,)).fetchone()
        amount, refunded_at = found or (None, None)
        if found is None:
            row = (order.key, order.order_id, now())
            db.execute("INSERT INTO payments VALUES (?, ?, NULL, ?)", row)
        elif refunded_at is None and order.card == "voucher":
            return {"refused": "a voucher cannot be refunded"}
        elif refunded_at is None:
            update = "UPDATE payments SET refunded_at = ? WHERE key = ?"
            db.execute(update, (now(), order.key))
    return {"undone": amount is not None}


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
            CREATE TABLE IF NOT EXISTS payments
                (key PRIMARY KEY, order_id, amount CHECK (amount > 0), refunded_at);
            CREATE TABLE IF NOT EXISTS attempts (key, activity, started_at);
            """
        )


def now() -> str:
    return datetime.now(timezone.utc).isoformat()


def log(event: str, **facts: object) -> None:
    line = {"at": now(), "service": "payment-service", "event": event, **facts}
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
