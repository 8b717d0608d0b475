"""What the lab's client costs: workflows a second through it, against the SDK's own client."""

from __future__ import annotations

import time
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

from labkit.bench import median
from labkit.labs.lab import Lab

PARENT, TARGET = "task-orchestrator-service", "notification-service"
ORDER = {
    "task_id": "bench",
    "title": "Measure the throughput",
    "assignee_email": "alice@example.com",
    "assignee_user_id": "user-alice",
}
BATCH = 20


def measure(runs: int) -> dict[str, Any]:
    """Return workflows a second, one after another: ``lab_per_s``, ``raw_per_s``, ``ratio``."""
    from dapr.conf import settings
    from dapr.ext.workflow import DaprWorkflowClient

    lab_rates, raw_rates = [], []
    with Lab() as lab:
        with redirect_stdout(StringIO()):
            lab.up(PARENT, TARGET)
        app = lab.app(PARENT)
        settings.DAPR_API_TOKEN = app.shared.token  # type: ignore[attr-defined] # set on import
        raw = DaprWorkflowClient(host="127.0.0.1", port=str(app.ports.grpc))
        _rate(raw)  # the first calls meet cold caches
        for _ in range(runs):
            lab_rates.append(_rate(lab.client(PARENT)))
            raw_rates.append(_rate(raw))
    return {
        "lab_per_s": median(lab_rates),
        "raw_per_s": median(raw_rates),
        "ratio": round(median(lab_rates) / median(raw_rates), 2),
        "runs": runs,
    }


def _rate(client: Any) -> float:
    began = time.monotonic()
    for _ in range(BATCH):
        instance = client.schedule_new_workflow("task_processing_multi_app", input=ORDER)
        client.wait_for_workflow_completion(instance, timeout_in_seconds=30)
    return BATCH / (time.monotonic() - began)
