"""The kernel of a learner, as far as chaos needs one: a process that holds a lab and is killed.

Reads one JSON object a line from standard input, ``{"do": NAME, ...}``, and answers each by one
line. Between them it prints a line for each note of evidence that is on the disk.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from labkit.course import progress
from labkit.errors import LabError
from labkit.labs.lab import Lab

RUN_FILE = Path(__file__).parent / "apps" / "dapr.yaml"
NOTE_SECONDS = 0.05


class Session:
    """The lab of this kernel, and what is asked of it."""

    def __init__(self) -> None:
        self._lab: Lab | None = None

    @property
    def lab(self) -> Lab:
        assert self._lab is not None, "no lab was made"
        return self._lab

    def do_lab(self, resume: bool = False) -> str:
        """Make a lab; return its folder."""
        self._lab = Lab(RUN_FILE, resume=resume)
        return str(self.lab.folder)

    def do_up(self) -> list[str]:
        """Start what does not run; return what keeps workflows from going on."""
        self.lab.up(announce=False)
        return [o.found for o in self.lab.obstacles()]

    def do_schedule(self, name: str, kind: str) -> None:
        """Schedule a workflow."""
        self.lab.client("caller").schedule_new_workflow(kind, input=name, instance_id=name)

    def do_wait(self, name: str, within: float) -> dict[str, Any]:
        """Wait for a workflow; return its status and its output."""
        run = self.lab.run(name).wait(within)
        return {"status": run.status, "output": run.output}

    def do_down(self) -> None:
        """End the lab."""
        self.lab.down()


def main() -> None:
    """Serve until standard input ends."""
    session, lock = Session(), threading.Lock()

    def say(**said: Any) -> None:
        with lock:
            sys.stdout.write(json.dumps(said) + "\n")
            sys.stdout.flush()

    def keep_noting() -> None:
        number = 0
        while True:
            time.sleep(NOTE_SECONDS)
            number += 1
            progress.note("observation", f"{os.getpid()}.{number}", text="ü" * 50)
            say(noted=f"{os.getpid()}.{number}")

    threading.Thread(target=keep_noting, daemon=True).start()
    for line in sys.stdin:
        given = json.loads(line)
        try:
            say(answer=getattr(session, "do_" + given.pop("do"))(**given))
        except (LabError, OSError) as problem:
            say(error=type(problem).__name__, text=str(problem))


if __name__ == "__main__":
    main()
