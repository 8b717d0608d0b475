"""A process that plays one cut after the other: tasks as JSON lines in, results as JSON lines out.

It ends, and its lifeline ends the lab, as soon as its standard input is closed: so nothing stays
when the engine is interrupted or killed.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from labkit.cuts.invariant import ASKING
from labkit.cuts.outcome import Result
from labkit.cuts.plan import cut_from
from labkit.cuts.play import Task, play, record


def main() -> None:
    """Serve until the input is closed."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a lab prints is no answer
    for raw in _asked():
        answer = _answer(raw)
        last = any(t.name == ASKING for t in threading.enumerate())
        print(json.dumps({**answer, "last": last}), file=answers, flush=True)
        if last:  # a thread that hangs goes with its process only
            os._exit(0)


def _answer(raw: dict[str, Any]) -> dict[str, Any]:
    task = Task(**raw["task"])
    name = "uncut"
    try:
        if raw["cut"] is None:
            result, points = record(task)
            return {"result": result.as_dict(), "points": [asdict(p) for p in points]}
        cut = cut_from(raw["cut"])
        name = cut.name
        return {"result": play(task, cut, keep=raw.get("keep", False)).as_dict()}
    except Exception as problem:  # one cut must not end the others
        said = f"{type(problem).__name__}: {' '.join(str(problem).split())}"
        return {"result": Result(name, "no lab", words=said).as_dict(), "points": []}


def _asked() -> Iterator[dict[str, Any]]:
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)
        os._exit(0)  # the engine is gone, or wants no more

    threading.Thread(target=read, daemon=True).start()
    while True:
        yield json.loads(lines.get())


if __name__ == "__main__":
    main()
