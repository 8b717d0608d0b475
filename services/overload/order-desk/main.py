"""order-desk: orders mails from mail-service, with and without protection.

What an order needs to know is in its input: ``attempts``, ``first``, ``factor`` and ``longest``
shape its retries, ``activity`` names the activity that sends.
"""

import os
import random
import signal
import sqlite3
from contextlib import closing
from datetime import timedelta

import dapr.ext.workflow as wf

LEDGER = os.environ.get("LEDGER", "ledger.sqlite")
MAILS = "mail-service"
wfr = wf.WorkflowRuntime()


@wfr.workflow(name="order")
def order(ctx, given: dict):
    """Send one mail, with the retries of a policy."""
    policy = wf.RetryPolicy(
        first_retry_interval=timedelta(seconds=given.get("first", 0.1)),
        max_number_of_attempts=given.get("attempts", 3),
        backoff_coefficient=given.get("factor", 1.0),
        max_retry_interval=timedelta(seconds=given.get("longest", 60)),
    )
    name = given.get("activity", "send_mail_async")
    return (yield ctx.call_activity(name, input=given, app_id=MAILS, retry_policy=policy))


@wfr.workflow(name="order_with_jitter")
def order_with_jitter(ctx, given: dict):
    """The same, with pauses that differ from order to order; a policy of the SDK has no jitter.

    The seed is the instance ID, so that a replay draws the same numbers.
    """
    draw, pause = random.Random(ctx.instance_id), given["first"]
    for attempt in range(1, given["attempts"] + 1):
        try:
            return (yield ctx.call_activity("send_mail_async", input=given, app_id=MAILS))
        except wf.TaskFailedError:
            if attempt == given["attempts"]:
                raise
        yield ctx.create_timer(timedelta(seconds=pause * draw.uniform(0.5, 1.5)))
        pause = min(pause * given["factor"], given["longest"])


@wfr.workflow(name="order_if_there_is_room")
def order_if_there_is_room(ctx, given: dict):
    """Load shedding: refuse at the door what would wait too long."""
    place = {"order": ctx.instance_id, "most": given["most"]}
    if not (yield ctx.call_activity(take_a_place, input=place)):
        return "try again later"
    sent = yield ctx.call_activity("send_mail_async", input=given, app_id=MAILS)
    yield ctx.call_activity(leave, input=ctx.instance_id)
    return sent


@wfr.workflow(name="order_all")
def order_all(ctx, given: dict):
    """A circuit breaker: after three failures in a row, rest, then try with one mail."""
    failures = 0
    for recipient in given["recipients"]:
        sent = False
        while not sent:
            if failures >= 3:
                yield ctx.create_timer(timedelta(seconds=given["rest"]))
            try:
                mail = {"to": recipient}
                sent = yield ctx.call_activity("send_mail_async", input=mail, app_id=MAILS)
                failures = 0
            except wf.TaskFailedError:
                failures += 1
    return len(given["recipients"])


@wfr.workflow(name="count")
def count(ctx, mails: list):
    """Ask for quick work of the same app."""
    return (yield ctx.call_activity("count_mails", input=mails, app_id=MAILS))


# --- the places at the door, kept in the ledger ----------------------------------------------


@wfr.activity(name="take_a_place")
def take_a_place(ctx, place: dict) -> bool:
    """Take one of so many places; the same order gets the same answer."""
    with closing(ledger()) as db, db:
        db.execute("BEGIN IMMEDIATE")
        taken = [row[0] for row in db.execute("SELECT id FROM places")]
        if place["order"] not in taken and len(taken) < place["most"]:
            db.execute("INSERT INTO places VALUES (?)", (place["order"],))
            return True
        return place["order"] in taken


@wfr.activity(name="leave")
def leave(ctx, order_id: str) -> None:
    """Give the place back."""
    with closing(ledger()) as db, db:
        db.execute("DELETE FROM places WHERE id = ?", (order_id,))


def ledger() -> sqlite3.Connection:
    db = sqlite3.connect(LEDGER, timeout=10)
    db.execute("CREATE TABLE IF NOT EXISTS places (id PRIMARY KEY)")
    return db


if __name__ == "__main__":
    wfr.start()
    signal.pause()
