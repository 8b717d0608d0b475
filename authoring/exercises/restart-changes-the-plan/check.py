"""An order whose service is killed on the way completes as it would have without."""

import shutil
from dataclasses import replace

from labkit.exercises.cases import NOTIFICATIONS, ORCHESTRATOR
from labkit.exercises.observations import as_before, ended, killed, mailed
from labkit.waiting import patience, wait_until

READY_SECONDS = 30.0


def wished(case):
    yield ended(case)
    yield mailed(case)
    yield killed(case, ORCHESTRATOR)


def counter(trial):
    """Kill the service while it waits for another app; start it again from a copy of its files.

    The copy was made before the order: what the process wrote meanwhile is gone, as in a container.
    """
    lab = trial.lab(SLOW_SECONDS="0")
    app = lab.app(ORCHESTRATOR)
    copy = shutil.copytree(app.spec.folder, lab.folder / "copy" / ORCHESTRATOR)
    with lab.frozen(NOTIFICATIONS, "worker"):
        case = trial.order()
        wait_until(
            lambda: waits(case) or case.run.has_ended,
            READY_SECONDS * patience(),
            f"the order waits for {NOTIFICATIONS}, or has ended",
        )
        lab.kill(ORCHESTRATOR, "worker")
    app.spec = replace(app.spec, folder=copy)
    lab.up(ORCHESTRATOR, within=READY_SECONDS * patience(), announce=False)
    yield from wished(case)
    yield from as_before(case)


def waits(case):
    return any(step.outcome == "running" for step in case.steps(app_id=NOTIFICATIONS))
