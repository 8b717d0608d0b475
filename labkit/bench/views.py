"""What the views cost: seconds and memory more than the bare lab, and drawing a large trace."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import yaml

from labkit import paths, tracing
from labkit.bench import median
from labkit.bench.memory import APPS, pss_mib
from labkit.bench.swimlane import made
from labkit.history import RunHistory
from labkit.labs.lab import Lab
from labkit.processes import lifeline
from labkit.swimlane import Swimlane
from labkit.telemetry import Waterfall
from labkit.tracing import Span, of_instance

EVENTS = 1_000
CONFIGURATION = {
    "apiVersion": "dapr.io/v1alpha1",
    "kind": "Configuration",
    "metadata": {"name": "views"},
    "spec": {
        "tracing": {
            "samplingRate": "1",
            "zipkin": {"endpointAddress": f"http://${tracing.HOST_VARIABLE}/api/v2/spans"},
        }
    },
}


def measure(runs: int) -> dict[str, Any]:
    """Return what a lab of three apps takes more with its views than without, and the drawing.

    Raises:
        NoPrometheus: it is not on this machine.
    """
    rounds = [(_started(views=False), _started(views=True)) for _ in range(max(1, runs // 2))]
    drawing = [_drawn(made(EVENTS)) for _ in range(runs)]
    return {
        "more_s": median([on[0] - off[0] for off, on in rounds]),
        "more_mib": median([on[1] - off[1] for off, on in rounds]),
        "up_s": median([off[0] for off, _ in rounds]),
        "drawn_ms_per_1000": round(median(drawing) * 1000, 1),
        "runs": runs,
    }


def _started(*, views: bool) -> tuple[float, float]:
    """Return how long a lab takes until it is up, and what it takes of memory then, in MiB."""
    with _run_file(views=views) as file:
        began = time.monotonic()
        with Lab(file) as lab:
            lab.up(*APPS, announce=False, within=120)
            if views:
                lab.prometheus()
            seconds = time.monotonic() - began
            return seconds, sum(
                pss_mib(psutil.Process(p)) for p in lifeline.marked(lab.folder.name)
            )


@contextmanager
def _run_file(*, views: bool) -> Iterator[Path]:
    """Yield the run file of the course, in a folder of its own with the Configuration."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        told = yaml.safe_load((paths.repo() / "services" / "dapr.yaml").read_text("utf-8"))
        told["apps"] = [app for app in told["apps"] if app["appID"] in APPS]
        told["common"] = {"resourcesPath": str(paths.repo() / "components" / "default")}
        if views:
            told["common"]["configFilePath"] = "views.yaml"
        for app in APPS:
            shutil.copytree(paths.repo() / "services" / app, folder / app)
        (folder / "views.yaml").write_text(yaml.safe_dump(CONFIGURATION), "utf-8")
        (folder / "dapr.yaml").write_text(yaml.safe_dump(told), "utf-8")
        yield folder / "dapr.yaml"


def _drawn(history: RunHistory) -> float:
    """Return how long it takes to draw swimlane and trace of a run, from the spans as they lie."""
    spans = list(spans_of(history))
    began = time.perf_counter()
    assert Swimlane(history).svg
    assert Waterfall(of_instance(spans, history.instance_id), history).svg
    return time.perf_counter() - began


def spans_of(history: RunHistory) -> Iterator[Span]:
    """Yield the spans that the sidecars would have sent for a run."""
    zero = history.events[0].time.timestamp()
    whole = {"durabletask.task.instance_id": history.instance_id}
    name = f"orchestration||{history.name}"
    yield Span("t", "0", "", history.app_id, name, zero, 1.0, whole)
    for step in history.steps():
        own = {**whole, "durabletask.task.task_id": str(step.number)}
        began, took = step.began.timestamp(), step.seconds or 0.0
        named = f"activity||{step.name}"
        yield Span("t", f"{step.number}", "0", step.app_id, named, began, took, own)
