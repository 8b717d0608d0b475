"""The worker of notification-service connects by itself and does the work, beside /health."""

from contextlib import suppress

import httpx

from labkit.errors import StartError
from labkit.exercises.cases import NOTIFICATIONS, ORCHESTRATOR, Case
from labkit.exercises.observations import Check, as_before, ended, mailed, ordered
from labkit.waiting import patience, poll

READY_SECONDS = 8.0
SERVED_SECONDS = 3.0


def steps(lab):
    case = Case(lab, "order", "task_processing_multi_app")
    yield connected(lab)
    yield healthy(lab)
    yield ordered(case)
    yield from wished(case)


def wished(case):
    yield ended(case)
    yield mailed(case)
    yield from as_before(case)


def counter(trial):
    lab = trial.lab(ORCHESTRATOR)
    yield connected(lab, start=True)
    yield healthy(lab)
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


def healthy(lab):
    """Whether the service still has its HTTP side; its worker may be connected a bit earlier."""
    found = []

    def answers():
        app = lab.app(NOTIFICATIONS)
        with suppress(httpx.ConnectError):  # any other silence is that of a busy machine
            url = f"http://127.0.0.1:{app.ports.app}/health"
            found.append(httpx.get(url, timeout=5 * patience()).status_code)
        return found

    def observe():
        poll(answers, SERVED_SECONDS * patience(), 0.1)
        return found[-1] if found else "no answer"

    return Check(
        "health",
        f"{NOTIFICATIONS} answers /health",
        200,
        observe,
        f"the path /health below lab.app({NOTIFICATIONS!r}).url",
    )


def bring_up(lab):
    with suppress(StartError):  # whether a worker is connected is asked next
        lab.up(NOTIFICATIONS, within=READY_SECONDS, announce=False)
