"""Both apps have an actor state store, which keeps the workflows on disk, and orders work."""

from labkit.exercises.cases import NOTIFICATIONS, Case
from labkit.exercises.observations import (
    Check,
    an_order_with_stores,
    databases,
    in_memory,
    kept_in,
)


def steps(lab):
    yield from an_order_with_stores(Case(lab, "order", "task_processing_multi_app"))


def counter(trial):
    lab = trial.lab()
    case = trial.order()
    yield from an_order_with_stores(case)
    yield Check(
        "kept",
        "the sidecar of the orchestrator keeps the workflow on disk",
        "in a database file",
        lambda: ", ".join(kept_in(case)) or "in no file",
        "components/: the type of the store",
        lambda files: files != "in no file",
    )
    yield Check(
        "kept",
        f"the sidecar of {NOTIFICATIONS} has a store on disk, too",
        "in a database file",
        lambda: kept_by_the_other(lab),
        "components/: the type of the store",
        lambda files: files != "in no file",
    )


def kept_by_the_other(lab):
    files = [] if in_memory(lab, NOTIFICATIONS) else databases(lab, NOTIFICATIONS)
    return ", ".join(file.name for file in files) or "in no file"
