"""The worker of notification-service connects by itself and does the work."""

from contextlib import suppress

from labkit.errors import StartError
from labkit.exercises.cases import NOTIFICATIONS, ORCHESTRATOR, Case
from labkit.exercises.observations import Check, as_before, ended, mailed, ordered

READY_SECONDS = 8.0


def steps(lab):
    case = Case(lab, "order", "task_processing_multi_app")
    yield connected(lab)
    yield ordered(case)
    yield from wished(case)


def wished(case):
    yield ended(case)
    yield mailed(case)
    yield from as_before(case)


def counter(trial):
    lab = trial.lab(ORCHESTRATOR)
    yield connected(lab, start=True)
    yield from wished(trial.order())
    lab.kill(NOTIFICATIONS, "worker")
    yield connected(lab, start=True, again=True)
    second = trial.order()
    yield ended(second)
    yield mailed(second)


def connected(lab, start=False, again=False):
    def observe():
        if start:
            bring_up(lab)
        return lab.app(NOTIFICATIONS).connected_workers()

    return Check(
        "worker",
        f"a worker of {NOTIFICATIONS} is connected to its sidecar" + " after a kill" * again,
        1,
        observe,
        f"lab.app({NOTIFICATIONS!r}).metadata(), and the log of the worker",
    )


def bring_up(lab):
    with suppress(StartError):  # whether a worker is connected is asked next
        lab.up(NOTIFICATIONS, within=READY_SECONDS, announce=False)
