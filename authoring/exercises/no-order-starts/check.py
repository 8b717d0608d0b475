"""Both apps have an actor state store, which keeps the workflows on disk, and orders work."""

from labkit.exercises.cases import NOTIFICATIONS, Case
from labkit.exercises.observations import (
    Check,
    an_order_with_stores,
    besides,
    databases,
    kept_in,
)


def steps(lab):
    yield from an_order_with_stores(Case(lab, "order", "task_processing_multi_app"))


def counter(trial):
    lab = trial.lab()
    case = trial.order()
    yield from an_order_with_stores(case)
    kept = Check(
        "kept",
        "the sidecar of the orchestrator keeps the workflow on disk",
        "in a database file",
        lambda: ", ".join(kept_in(case)) or "in no file",
        "components/: the type of the store",
        lambda files: files != "in no file",
    )
    in_memory = f"those of {NOTIFICATIONS} in no file"
    yield besides(kept, lambda: "" if databases(lab, NOTIFICATIONS) else in_memory)
