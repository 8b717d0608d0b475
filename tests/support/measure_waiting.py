"""Measures what docs/facts-wait.md says in figures: ``python -m tests.support.measure_waiting``.

``growth``: time and size for each event, as the history grows, with and without continue_as_new.
``gone``: what works while the scheduler or placement is gone, and how long until all works again.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import psutil

from labkit import Lab, LabError, wait_until
from labkit.waiting import patience
from tests.support.waiting import write_waiting

STOPS = (50, 100, 200, 300, 412)  # 412 events with their activities: 2,000 history events
SAMPLE = 20


def main(asked: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run_file = write_waiting(Path(folder).resolve() / "deployment")
        for name in asked or ["growth", "gone"]:
            {"growth": growth, "gone": gone}[name](run_file)


def growth(run_file: Path) -> None:
    with Lab(run_file) as lab:
        lab.up("caller", announce=False)
        for each in (10, 100_000):
            grow(lab, f"each-{each}", each)


def grow(lab: Lab, id: str, each: int) -> None:
    """Raise events one by one, each when the one before was taken."""
    client = lab.client("caller")
    given = {"each": each, "seen": [], "save": True}
    client.schedule_new_workflow("watch", input=given, instance_id=id)
    sent = 0
    for stop in STOPS:
        while sent < stop:
            if sent == stop - SAMPLE:
                began, used = time.monotonic(), cpu(lab)
            sent += 1
            client.raise_workflow_event(id, "go", data=f"{id} {sent}")
            wait_until(lambda n=sent: taken(lab, f"{id} {n}"), usual=60)
        wall = (time.monotonic() - began) / SAMPLE * 1000
        busy = (cpu(lab) - used) / SAMPLE * 1000
        rows, size = stored(lab, id)
        events = len(lab.run(id).history.events)
        print(f"{id}: {sent} events taken, history {events}, {rows} rows, {size / 1000:.0f} kB;"
              f" {wall:.0f} ms and {busy:.0f} ms of CPU for each event", flush=True)  # fmt: skip


def taken(lab: Lab, what: str) -> bool:
    return f"noted {what}\n" in lab.app("caller").logs()


def cpu(lab: Lab) -> float:
    """Seconds of CPU that the sidecar and the worker have used."""
    parts = [lab.app("caller").process(part) for part in ("sidecar", "worker")]
    return sum(sum(psutil.Process(p.pid).cpu_times()[:2]) for p in parts if p)


def stored(lab: Lab, id: str) -> tuple[int, int]:
    """Rows and bytes that the store holds for one instance."""
    asked = "SELECT count(*), coalesce(sum(length(value)), 0) FROM state WHERE instr(key, ?)"
    for file in lab.folder.rglob("*.sqlite"):
        with suppress(sqlite3.Error), closing(sqlite3.connect(file)) as db:
            rows, size = db.execute(asked, (f"||{id}||",)).fetchone()
            if rows:
                return rows, size
    return 0, 0


def gone(run_file: Path) -> None:
    for name in ("scheduler", "placement"):
        with Lab(run_file) as lab:
            lab.up("caller", announce=False)
            client = lab.client("caller")
            client.schedule_new_workflow("one", instance_id="waits")
            client.schedule_new_workflow("sleep", input=2, instance_id="sleeps")
            wait_until(lambda lab=lab: lab.run("sleeps").history.steps(), usual=30)
            lab.kill(name, announce=False)
            time.sleep(4)
            print(f"{name} gone: timer due 2 s ago: {status(lab, 'sleeps')}")
            print(f"{name} gone: raise: {timed(client.raise_workflow_event, 'waits', 'go')}")
            print(f"{name} gone: schedule: {timed(client.schedule_new_workflow, 'one')}")
            began = time.monotonic()
            lab.up("caller", announce=False, within=60 * patience())
            for id in ("sleeps", "waits"):
                with suppress(LabError):
                    lab.run(id).wait(usual=60)
                print(f"{name} back: {id} {status(lab, id)} {time.monotonic() - began:.1f} s after")


def status(lab: Lab, id: str) -> str:
    try:
        return lab.run(id).status
    except LabError as problem:
        return f"{problem.title}: {problem.found}"


def timed(call: Callable[..., object], *words: str) -> str:
    began = time.monotonic()
    try:
        call(*words)
        return f"returned after {time.monotonic() - began:.1f} s"
    except LabError as problem:
        return f"{problem.title} ({time.monotonic() - began:.1f} s)"


if __name__ == "__main__":
    main(sys.argv[1:])
