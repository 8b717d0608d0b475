"""Payments: an activity that charges, and a ledger of each call and each charge."""

import os
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()
BANK_IS_CLOSED = Path(os.environ.get("LEDGER", "ledger.sqlite")).with_name("bank-is-closed")


@wfr.activity(name="charge")
def charge(ctx: wf.WorkflowActivityContext, bill: dict) -> dict:
    """Charge an order as soon as the bank is open; a repeated call charges again."""
    book("starts", bill["order"], 0)
    while BANK_IS_CLOSED.exists():
        time.sleep(0.05)
    book("charges", bill["order"], bill["amount"])
    return {"charged": bill["amount"]}


# --- the ledger ------------------------------------------------------------------------------


def book(table: str, order: str, amount: int) -> None:
    """Note a call or a charge."""
    with closing(sqlite3.connect(os.environ["LEDGER"], timeout=30)) as db, db:
        db.execute(f"CREATE TABLE IF NOT EXISTS {table} (order_id, amount)")
        db.execute(f"INSERT INTO {table} VALUES (?, ?)", (order, amount))


if __name__ == "__main__":
    wfr.start()
    signal.pause()
