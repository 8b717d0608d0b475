"""All sidecars run, order-desk has its store, and workflows are kept as before, elsewhere."""

from labkit.exercises.cases import Case
from labkit.exercises.observations import Check, an_order_with_stores, kept_in, sidecars_run

DESK = "order-desk"
DESKS_FILE = "orders.sqlite"


def steps(lab):
    yield sidecars_run(lab)
    yield desks_store(lab)
    yield from an_order_with_stores(Case(lab, "order", "task_processing_multi_app"))


def counter(trial):
    lab = trial.lab()
    yield desks_store(lab)
    case = trial.order()
    yield from an_order_with_stores(case)
    yield Check(
        "kept",
        "workflows are kept on disk, and not in the database of the orders team",
        f"in a database other than {DESKS_FILE}",
        lambda: ", ".join(kept_in(case)) or "in no file",
        "which store the log of the sidecar names as its actor state store",
        lambda files: files != "in no file" and DESKS_FILE not in files,
    )


def desks_store(lab):
    return Check(
        "desk",
        f"the sidecar of {DESK} has the store of the orders team",
        "orders",
        lambda: ", ".join(
            sorted(c["name"] for c in lab.app(DESK).metadata().get("components", []))
        ),
        f'lab.app("{DESK}").metadata()["components"]',
        lambda names: "orders" in names.split(", "),
    )
