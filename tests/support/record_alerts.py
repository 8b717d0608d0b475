"""Records the metrics against which rules of alerts are graded.

    python -m tests.support.record_alerts [NAME ...]

Each is a run on the real runtime with Prometheus beside it: three healthy runs and a restart, and
break labs as their learners get them. Writes ``labkit/prometheus/recorded/NAME.json.gz``.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx

from labkit.errors import LabError
from labkit.exercises import load
from labkit.exercises.deployment import prepare
from labkit.labs.lab import Lab
from labkit.mail.catcher import REFUSE
from labkit.prometheus import grading
from labkit.prometheus.grading import Recording
from tests.support.deployments import traced

ORCHESTRATOR, NOTIFICATIONS = "task-orchestrator-service", "notification-service"
APPS = (ORCHESTRATOR, NOTIFICATIONS, "audit-service")
ORDER = {"title": "Review PR", "assignee_email": "a@example.com", "assignee_user_id": "a"}
SECONDS, EVERY = 60, 12
KEPT = '{__name__=~"up|dapr_runtime_workflow_.*|dapr_(scheduler|placement)_.*"}'


def main() -> None:
    """Record what is named, or all."""
    wanted = sys.argv[1:] or [*HEALTHY, *FAULTS]
    for name in wanted:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["LABKIT_STATE"] = folder
            words, recorded = HEALTHY[name](Path(folder)) if name in HEALTHY else fault(name)
        grading.save(
            Recording(name, words, name in HEALTHY, recorded),
            grading.FOLDER / f"{name}.json.gz",
        )
        print(name, len(recorded), "series", flush=True)


def watched(lab: Lab, *deeds: Callable[[], object]) -> dict[str, list[float | None]]:
    """Start Prometheus, do one deed after the other, and return what it has seen."""
    handle = lab.prometheus()
    began = time.time()
    for number, deed in enumerate(deeds):
        time.sleep(max(0.0, began + 5 + EVERY * number - time.time()))
        with suppress(LabError):
            deed()
    time.sleep(max(0.0, began + SECONDS - time.time()))
    asked = {"query": KEPT, "start": f"{began:.3f}", "end": f"{began + SECONDS:.3f}", "step": "1"}
    with httpx.Client(trust_env=False, timeout=60) as http:
        found = http.get(f"{handle.url}/api/v1/query_range", params=asked).json()["data"]["result"]
    return {series(one["metric"]): valued(one["values"], began) for one in found}


def series(metric: dict[str, str]) -> str:
    """Return a metric as PromQL writes it."""
    labels = dict(metric)
    name = labels.pop("__name__")
    pairs = (f'{k}="{v}"' for k, v in sorted(labels.items()))
    return f"{name}{{{', '.join(pairs)}}}"


def valued(values: list[tuple[float, str]], began: float) -> list[float | None]:
    """Return a value for each second."""
    known = {round(at - began): float(text) for at, text in values}
    return [known.get(second) for second in range(SECONDS + 1)]


def order(lab: Lab, workflow: str, number: int, host: str = ORCHESTRATOR) -> Callable[[], object]:
    """Return what schedules one order."""
    given = {**ORDER, "task_id": f"task-{number}", "manager_email": "b@example.com"}
    id = f"order-{number}"
    return lambda: lab.client(host).schedule_new_workflow(workflow, input=given, instance_id=id)


def usual(folder: Path) -> tuple[str, dict[str, list[float | None]]]:
    with Lab(traced(folder)) as lab:
        lab.up(*APPS, announce=False)
        deeds = [order(lab, "task_with_audit", n) for n in range(4)]
        return "orders as on every day", watched(lab, *deeds)


def slow(folder: Path) -> tuple[str, dict[str, list[float | None]]]:
    with Lab(traced(folder), env={"SLOW_SECONDS": "14"}) as lab:
        lab.up(*APPS, announce=False)
        deeds = [order(lab, "task_processing_multi_app", n) for n in range(4)]
        return "the provider of mails takes 14 s for each", watched(lab, *deeds)


def retried(folder: Path) -> tuple[str, dict[str, list[float | None]]]:
    with Lab(traced(folder)) as lab:
        lab.up(*APPS, announce=False)
        mark = lab.folder / "inbox" / REFUSE
        mark.parent.mkdir(exist_ok=True)

        def refused(number: int) -> Callable[[], object]:
            def deed() -> None:
                mark.touch()
                order(lab, "resilient_task_processing", number)()
                time.sleep(2.0)
                mark.unlink()

            return deed

        deeds = [refused(n) for n in range(4)]
        return "the first tries of a mail fail, and a later one succeeds", watched(lab, *deeds)


def restarted(folder: Path) -> tuple[str, dict[str, list[float | None]]]:
    with Lab(traced(folder)) as lab:
        lab.up(*APPS, announce=False)
        deeds = [
            order(lab, "task_with_audit", 1),
            lambda: lab.restart(NOTIFICATIONS, announce=False),
            order(lab, "task_with_audit", 2),
        ]
        return "notification-service is restarted", watched(lab, *deeds)


def fault(id: str) -> tuple[str, dict[str, list[float | None]]]:
    """Return what Prometheus sees of a break lab, as its learners get it."""
    exercise = load(id)
    prepare(exercise, exercise.fault)
    with Lab(exercise.run_file) as lab:
        with suppress(LabError):
            lab.up(within=8, announce=False)
        deeds = [order(lab, exercise.workflow, n, exercise.host) for n in range(4)]
        deeds[1:1] = [killed(lab, step.split()[1]) for step in exercise.accident]
        return exercise.title, watched(lab, *deeds)


def killed(lab: Lab, name: str) -> Callable[[], object]:
    """Return what kills a process, and leaves it killed."""
    return lambda: lab.kill(name, announce=False)


HEALTHY = {"usual": usual, "slow": slow, "retried": retried, "restarted": restarted}
FAULTS = (
    "every-order-fails",
    "audited-orders-fail",
    "nobody-answers",
    "healthy-and-not-there",
    "healthy-and-idle",
    "sidecars-end",
)

if __name__ == "__main__":
    main()
