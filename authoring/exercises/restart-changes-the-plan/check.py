"""An order whose service is killed on the way completes as it would have without.

The service is started again as on another machine. Then its history is replayed with other data
and an earlier date, so nothing that was kept anywhere about this order can help; and once more
with what its activities answer in the new process, as an answer may be lost before it is recorded.
"""

import json
import os
import pickle
import re
import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from labkit.errors import ObservationError
from labkit.exercises.cases import NOTIFICATIONS, ORCHESTRATOR
from labkit.exercises.observations import Check, as_before, ended, killed, mailed
from labkit.waiting import patience, wait_until

READY_SECONDS = 30.0
EARLIER = timedelta(days=1)
ANEW = "when its own activities are asked again there"
REPLAYED = Path(__file__).with_name("replayed.py")


def wished(case):
    yield ended(case)
    yield mailed(case)
    yield killed(case, ORCHESTRATOR)


def counter(trial):
    """Kill the service while it waits for another app, and start it as on another machine."""
    lab = trial.lab(SLOW_SECONDS="0")
    with lab.frozen(NOTIFICATIONS, "worker"):
        case = trial.order(task_id=f"task-{trial.draw.number()}")
        wait_until(
            lambda: waits(case) or case.run.has_ended,
            READY_SECONDS * patience(),
            f"the order waits for {NOTIFICATIONS}, or has ended",
        )
        lab.kill(ORCHESTRATOR)
    trial.replaced(ORCHESTRATOR)
    yield from wished(case)
    yield Check(
        "replay",
        "a new process comes to the same steps for another order that began a day earlier",
        "the same steps",
        lambda: replayed(trial, case),
        "what the workflow looks at besides its input and the results of its steps",
    )
    yield from as_before(case)


def waits(case):
    return any(step.outcome == "running" for step in case.steps(app_id=NOTIFICATIONS))


# --- the same history, for another order ------------------------------------------------------


def replayed(trial, case):
    """Say how the workflow takes its own history with other data; its children, too."""
    runs = [run for run in case.history.walk() if run.app_id == ORCHESTRATOR]
    for run in runs:
        told = taken(case, *of_another_order(trial, case, run))
        if told["failure"] or "end" not in told["asks"]:
            said = told["failure"] or f"asks for {', '.join(told['asks']) or 'nothing'}"
            return f"{ANEW}: {said}" if told["anew"] else said
    return "the same steps"


def of_another_order(trial, case, run):
    """Return the history as if another order had been given, a day before."""
    other = trial.draw.order(task_id=f"task-{trial.draw.number()}")
    names = {str(case.given[name]): value for name, value in other.items()}
    names[case.instance_id] = trial.draw.instance_id()
    longest_first = sorted(names, key=len, reverse=True)
    known = re.compile("|".join(map(re.escape, longest_first)))

    def renamed(text):
        return known.sub(lambda found: names[found[0]], text) if isinstance(text, str) else text

    def moved(event):
        texts = ("instance_id", "child_instance_id", "input", "output")
        return replace(
            event,
            time=event.time - EARLIER,
            fire_at=event.fire_at and event.fire_at - EARLIER,
            **{name: renamed(getattr(event, name)) for name in texts},
        )

    return renamed(run.instance_id), [moved(event) for event in run.events]


def taken(case, instance_id, events):
    """Replay a history in a process of its own; return what the workflow does at its end.

    Raises:
        ObservationError: the service cannot be replayed, or did not answer in time.
    """
    app = case.lab.app(ORCHESTRATOR)
    base = Path(tempfile.mkdtemp(prefix="replay-", dir=case.lab.folder))
    (base / "history").write_bytes(pickle.dumps((instance_id, events)))
    own = {name: str(base) for name in ("HOME", "TMPDIR")}
    env = {**os.environ, **app.spec.env, **own, "LEDGER": str(base / "ledger.sqlite")}
    command = [sys.executable, str(REPLAYED), str(app.spec.folder / "main.py"), base / "history"]
    within = READY_SECONDS * patience()
    try:
        done = subprocess.run(
            command, cwd=app.spec.folder, env=env, capture_output=True, text=True, timeout=within
        )
    except subprocess.TimeoutExpired:
        said = f"it has not ended after {within:.0f} s"
    else:
        if done.returncode == 0:
            return json.loads(done.stdout.strip().rpartition("\n")[2])
        said = done.stderr.strip().rpartition("\n")[2]
    raise ObservationError(
        "the workflow could not be replayed",
        asked=f"main.py of {ORCHESTRATOR}, imported, with the history of an order",
        found=said,
        look_at=f"main.py of {ORCHESTRATOR}: it has to be importable, and wfr its runtime",
        fix="start nothing while the file is imported, then check again",
    )
