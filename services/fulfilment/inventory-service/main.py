"""inventory-service: keeps the stock of the shop, and reserves goods for orders.

Its ledger is the stock itself: a reservation takes goods off the shelf, a release puts them back.
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
STOCK = json.loads(os.environ.get("STOCK", '{"book": 20, "lamp": 5, "desk": 1}'))
SIDECAR_SECONDS = float(os.environ.get("SIDECAR_SECONDS", "10"))

wfr = wf.WorkflowRuntime()


class Order(BaseModel):
    order_id: str
    item: str
    quantity: int

    @property
    def key(self) -> str:
        """By what a reservation is found: the order and the step, the same for step and release.

        Not the ``task_execution_id``: that names one call of one activity, so a release could not
        name the reservation that it ends; and an order that is sent a second time, in a workflow
        of its own, would be reserved twice.
        """
        return f"{self.order_id}/reserve"


# --- the activities: what other apps may call ------------------------------------------------


@wfr.activity(name="reserve_inventory")
def reserve_inventory(ctx: wf.WorkflowActivityContext, order: Order) -> dict:
    """Take goods off the shelf; a repeated call takes nothing more."""
    with transaction(order.key, "reserve_inventory") as db:
        query = "SELECT item, quantity, released_at FROM reservations WHERE key = ?"
        if earlier := db.execute(query, (order.key,)).fetchone():
            return answer_again(earlier, (order.item, order.quantity))
        query = "SELECT quantity FROM stock WHERE item = ?"
        (there,) = db.execute(query, (order.item,)).fetchone() or (None,)
        if there is None:
            return {"refused": f"there is no item {order.item!r}"}
        if there < order.quantity:
            return {"refused": f"{there} x {order.item} in stock, {order.quantity} ordered"}
        update = "UPDATE stock SET quantity = quantity - ? WHERE item = ?"
        db.execute(update, (order.quantity, order.item))
        row = (order.key, order.order_id, order.item, order.quantity)
        db.execute("INSERT INTO reservations VALUES (?, ?, ?, ?, NULL)", row)
    return {"reserved": order.quantity}


def answer_again(earlier: tuple, asked: tuple) -> dict:
    *reserved, released_at = earlier
    if released_at:
        return {"refused": "this order was undone before"}
    if tuple(reserved) != asked:
        return {"refused": "this order ID was used for other goods"}
    return {"reserved": reserved[1]}


@wfr.activity(name="release_inventory")
def release_inventory(ctx: wf.WorkflowActivityContext, order: Order) -> dict:
    """Put reserved goods back; a repeated call puts back nothing more.

    A release may come before its reservation, when that is slow. It then leaves a row that is
    released and has no quantity, and the reservation that comes late finds it and is refused.
    """
    with transaction(order.key, "release_inventory") as db:
        query = "SELECT item, quantity, released_at FROM reservations WHERE key = ?"
        item, quantity, released_at = db.execute(query, (order.key,)).fetchone() or (None,) * 3
        if item is None:
            row = (order.key, order.order_id, order.item, now())
            db.execute("INSERT INTO reservations VALUES (?, ?, ?, NULL, ?)", row)
        elif released_at is None:
            update = "UPDATE stock SET quantity = quantity + ? WHERE item = ?"
            db.execute(update, (quantity, item))
            update = "UPDATE reservations SET released_at = ? WHERE key = ?"
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
    """Make the tables, and put the goods that were delivered to the shop on the shelf, once."""
    with closing(sqlite3.connect(LEDGER, timeout=2)) as db:
        db.executescript(
            """
            CREATE TABLE IF NOT EXISTS received (item PRIMARY KEY, quantity);
            CREATE TABLE IF NOT EXISTS stock
                (item PRIMARY KEY, quantity NOT NULL CHECK (quantity >= 0));
            CREATE TABLE IF NOT EXISTS reservations
                (key PRIMARY KEY, order_id, item, quantity CHECK (quantity > 0), released_at);
            CREATE TABLE IF NOT EXISTS attempts (key, activity, started_at);
            """
        )
        with db:
            for table in ("received", "stock"):
                db.executemany(f"INSERT OR IGNORE INTO {table} VALUES (?, ?)", STOCK.items())


def now() -> str:
    return datetime.now(timezone.utc).isoformat()


def log(event: str, **facts: object) -> None:
    line = {"at": now(), "service": "inventory-service", "event": event, **facts}
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
