"""Both apps have an actor state store, which keeps the workflows on disk, and orders work."""

from labkit.exercises.cases import NOTIFICATIONS, Case
from labkit.exercises.observations import (
    Check,
    an_order_with_stores,
    besides,
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
    kept = Check(
        "kept",
        "the sidecar of the orchestrator keeps the workflow on disk",
        "in a database file",
        lambda: ", ".join(kept_in(case)) or "in no file",
        "components/: the type of the store",
        lambda files: files != "in no file",
    )
    yield besides(kept, lambda: forgetful(lab))


def forgetful(lab):
    is_kept = databases(lab, NOTIFICATIONS) and not in_memory(lab, NOTIFICATIONS)
    return "" if is_kept else f"those of {NOTIFICATIONS} in no file"
