"""An order whose delivery is refused, or never answered, ends as cancelled, and nothing is left."""

import sqlite3
from contextlib import closing
from datetime import datetime, timezone

from labkit.exercises.observations import besides, broken
from labkit.exercises.shop import SHIPPING, cancelled, drawn, fulfilled, status_is

RETRIES_SECONDS = 8.0


def wished(case):
    yield from cancelled(case)


def counter(trial):
    lab = trial.lab()
    far = trial.order(given=drawn(trial.draw, country=f"X{trial.draw.word()[0].upper()}"))
    silent = trial.order(given=drawn(trial.draw, country="IS"))
    near = trial.order(given=drawn(trial.draw))
    undone = undone_before(trial, lab)
    how = "with a delivery that was cancelled before it was scheduled, "
    for one in cancelled(far):
        in_other_words = one.id == "holds"
        yield besides(one, lambda: broken(cancelled(undone, how))) if in_other_words else one
    yield from cancelled(silent, "with a carrier that does not answer, ", within=RETRIES_SECONDS)
    near.settled()
    yield status_is(near, "fulfilled", "where deliveries are made, ", id="fulfilled")
    yield from fulfilled(near)


def undone_before(trial, lab):
    """Order something whose delivery is refused for another reason, so in other words."""
    given = drawn(trial.draw)
    at = datetime.now(timezone.utc).isoformat()
    row = (f"{given['order_id']}/deliver", given["order_id"], given["item"], at)
    with closing(sqlite3.connect(lab.app(SHIPPING).ledger, timeout=5)) as db, db:
        columns = "key, order_id, item, cancelled_at"
        db.execute(f"INSERT INTO deliveries ({columns}) VALUES (?, ?, ?, ?)", row)
    return trial.order(given=given)
