"""The processes of the engine, as a study sees them: each plays one cut after the other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from labkit import paths, runtime
from labkit.cuts.plan import Cut
from labkit.cuts.play import Task, longest
from labkit.errors import ObservationError
from labkit.waiting import patience

LAB_MB = 700
"""Memory for one lab of five apps; see ``./lab bench memory``."""


class EngineSilent(ObservationError):
    """A process of the engine has ended without an answer."""

    code = "engine-silent"


class Slot:
    """One process of the engine, with a state folder of its own for its labs.

    A process that has ended is started again with the next cut.

    Args:
        folder: of the study; the state folder is made in it.
        number: tells the slots of a study apart.
    """

    def __init__(self, task: Task, folder: Path, number: int) -> None:
        self._task = task
        state = folder / f"slot-{number}"
        state.mkdir(parents=True, exist_ok=True)
        programs = runtime.binaries()
        self._env = {
            **os.environ,
            "LABKIT_STATE": str(state),
            "LABKIT_DAPR_BIN": str(programs.folder),
        }
        self._log = (state / "engine.log").open("ab")
        self._process = self._started()

    def _started(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "labkit.cuts.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=self._env,
            cwd=paths.repo(),
            text=True,
            start_new_session=True,  # Ctrl-C is for the engine, which ends its workers
        )

    def __enter__(self) -> Slot:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, cut: Cut | None, *, keep: bool = False) -> dict[str, Any]:
        """Play a cut, or the run without one; return the answer.

        Raises:
            EngineSilent: the process has ended, or was ended because it did not answer in time.
        """
        if self._process.poll() is not None:
            self._end()
            self._process = self._started()
        task = asdict(self._task)
        asked = {"task": task, "cut": cut.as_dict() if cut else None, "keep": keep}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            with _watched(self._process, longest(self._task)) as late:
                print(json.dumps(asked), file=self._process.stdin, flush=True)
                answer = dict(json.loads(self._process.stdout.readline()))
        except (OSError, ValueError) as problem:
            self._end()
            raise EngineSilent(
                "a process of the cut engine has ended",
                asked=f"the cut {cut.name if cut else 'uncut'}",
                found="it did not answer in time and was killed"
                if late.is_set()
                else f"exit code {self._process.returncode}",
                look_at=self._log.name,
                fix="repeat the command; it goes on where it stopped",
            ) from problem
        if answer.get("last"):
            self._end()
        return answer

    def close(self) -> None:
        """End the process, and with it its lab; wait until both are gone."""
        self._end()
        self._log.close()

    def _end(self) -> None:
        with suppress(OSError):  # it has ended, and left something unread
            if self._process.stdin:
                self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()


@contextmanager
def _watched(process: subprocess.Popen[str], seconds: float) -> Iterator[threading.Event]:
    """Kill a process that does not answer within the block, in ``seconds`` or when busy longer.

    Yields:
        An event that is set when it was killed.
    """
    answered, late = threading.Event(), threading.Event()

    def watch() -> None:
        began = time.monotonic()
        while not answered.wait(2):
            if time.monotonic() - began > seconds * patience():
                late.set()
                process.kill()
                return

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield late
    finally:
        answered.set()


def most_at_once() -> int:
    """Return how many labs run side by side, as far as cores and memory allow.

    Most of the time a lab waits: for 20 s after a scheduler was killed. Three per core and one more
    keep the cores busy: on two cores all 93 cuts of the course's saga took 285 s with seven labs,
    and 303 s with five.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2
    room = psutil.virtual_memory().available // (LAB_MB * 1024 * 1024)
    return max(1, min(3 * cores + 1, int(room)))
