"""All sidecars run, order-desk has its store, and workflows are kept as before, elsewhere."""

import sqlite3
from contextlib import closing, suppress

from labkit.exercises.cases import NOTIFICATIONS, Case
from labkit.exercises.observations import (
    Check,
    an_order_with_stores,
    besides,
    databases,
    in_memory,
    kept_in,
    sidecars_run,
)
from labkit.waiting import patience

DESK = "order-desk"
STORE = "orders"
BEFORE = "statestore.sqlite"
"""Where the workflows were kept before."""


def steps(lab):
    yield sidecars_run(lab)
    yield desks_store(lab)
    yield from an_order_with_stores(Case(lab, "order", "task_processing_multi_app"))


def counter(trial):
    lab = trial.lab()
    yield desks_store(lab)
    case = trial.order()
    yield from an_order_with_stores(case)
    word = trial.draw.word()
    yield Check(
        "own",
        f"{DESK} can save something in {STORE}",
        "saved",
        lambda: save(lab, word),
        "components/: the type and the scopes of the store of the orders team",
    )
    yield Check(
        "own",
        f"what {DESK} saves in {STORE} is kept on disk",
        "in a database file",
        lambda: "in a database file" if saved_in(lab, word) else "in no file",
        "components/: the type of the store of the orders team",
    )
    kept = Check(
        "kept",
        "workflows are kept on disk, and not in the database of the orders team",
        "in a database of their own",
        lambda: where(kept_in(case), saved_in(lab, word)),
        "the connectionString of both stores, and the actor state store that a sidecar's log names",
    )
    forgetful = f"and {NOTIFICATIONS} has its store in memory"
    yield besides(kept, lambda: forgetful if in_memory(lab, NOTIFICATIONS) else "")


def save(lab, word):
    """Let order-desk save something, as its program would: by the API of its sidecar."""
    app = lab.app(DESK)
    answer = app.shared.http.post(
        f"http://127.0.0.1:{app.ports.http}/v1.0/state/{STORE}",
        headers={"dapr-api-token": app.shared.token},
        json=[{"key": word, "value": word}],
        timeout=10 * patience(),
    )
    return "saved" if answer.is_success else f"refused: {answer.text}"


def saved_in(lab, word):
    """Return the names of the databases of order-desk's sidecar that hold what was saved."""
    return [file.name for file in databases(lab, DESK) if holds(file, word)]


def holds(file, word):
    opened = f"{file.as_uri()}?mode=ro"
    with suppress(sqlite3.Error), closing(sqlite3.connect(opened, uri=True)) as db:
        tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return any(word in str(db.execute(f'SELECT * FROM "{t}"').fetchall()) for (t,) in tables)
    return False


def where(workflows, orders):
    if not workflows:
        return "in no file"
    shared = sorted(set(workflows) & set(orders))
    if shared:
        return f"in {shared[0]}, as the orders are"
    is_kept = BEFORE in workflows
    return "in a database of their own" if is_kept else f"in {workflows[0]}, and not in {BEFORE}"


def desks_store(lab):
    return Check(
        "desk",
        f"the sidecar of {DESK} has the store of the orders team",
        STORE,
        lambda: ", ".join(
            sorted(c["name"] for c in lab.app(DESK).metadata().get("components", []))
        ),
        f'lab.app("{DESK}").metadata()["components"]',
        lambda names: STORE in names.split(", "),
    )
