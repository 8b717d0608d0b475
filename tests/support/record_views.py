"""Records the runs that the course shows where a machine has no views, and that its tests read.

    python -m tests.support.record_views

Writes ``labkit/telemetry/runs/NAME.json.gz`` from runs on the real runtime.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from labkit import runtime, tracing
from labkit.history import ENDED
from labkit.labs.lab import Lab
from labkit.labs.workflowrun import Run
from labkit.prometheus import samples
from labkit.telemetry import recorded
from labkit.waiting import wait_until
from tests.support.deployments import traced

ORCHESTRATOR, NOTIFICATIONS = "task-orchestrator-service", "notification-service"
ORDER = {"title": "Write the report", "assignee_email": "alice@example.com"}


def main() -> None:
    """Record a healthy run, one that fails after retries, and one that waits for an absent app."""
    with Lab(traced(Path(recorded.FOLDER).parents[2] / ".lab" / "recording")) as lab:
        lab.up(ORCHESTRATOR, NOTIFICATIONS, "audit-service", announce=False)
        keep(lab, started(lab, "task_with_audit", "healthy").wait())
        lab.kill("mail", announce=False)
        keep(lab, started(lab, "resilient_task_processing", "retried").wait(usual=60))
        keep(lab, started(lab, "task_processing_multi_app", "failed").wait(usual=60))
        lab.kill(NOTIFICATIONS, announce=False)
        absent = started(lab, "task_processing_multi_app", "absent")
        wait_until(lambda: "recoverable" in counted_of(absent), usual=60)
        keep(lab, absent)


def started(lab: Lab, workflow: str, instance_id: str) -> Run:
    """Schedule an order whose task ID is unlike its instance ID."""
    given = {**ORDER, "task_id": f"task-{instance_id}", "assignee_user_id": "alice"}
    client = lab.client(ORCHESTRATOR)
    client.schedule_new_workflow(workflow, input=given, instance_id=instance_id)
    return lab.run(instance_id)


def counted_of(run: Run) -> Mapping[str, int]:
    """Return the executions of the workflow of a run, by status."""
    return run.metrics().of(run.history.name).executions


def keep(lab: Lab, run: Run) -> None:
    """Save one run with all its views."""
    assert run.status in ENDED or run.instance_id == "absent"
    history, view = run.history, run.trace()
    ids = {h.instance_id for h in history.walk()}
    spans = [s for s in tracing.read(lab.folder / tracing.FILE) if s.instance_id in ids]
    assert len(spans) == len(view.spans)
    counted = [
        s
        for app in lab.started_apps()
        if [p for p in app.alive() if p is app.process("sidecar")]
        for s in samples(app.metrics())
        if "_workflow_" in s.name and "le" not in s.labels
    ]
    told = recorded.record(runtime.binaries().version, history, spans, counted, run.logs())
    recorded.save(told, recorded.FOLDER / f"{run.instance_id}.json.gz")
    print(run.instance_id, len(spans), "spans")


if __name__ == "__main__":
    main()
