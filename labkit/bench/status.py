"""``./lab status`` and a cell that observes, with no evidence and with very much of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from labkit import paths
from labkit.bench import median

LINES = 200_000
_OBSERVE = """
import time
from labkit.course.predictions import observe
began = time.perf_counter()
observe("a-prediction", "seen")
print(time.perf_counter() - began)
"""


def measure(runs: int) -> dict[str, Any]:
    """Return seconds of the command, and of ``observe()`` alone in a process that has its imports.

    The command is timed as a user waits for it, with the start of both Pythons.
    """
    with tempfile.TemporaryDirectory(prefix="bench-status-") as folder:
        env = {**os.environ, "LABKIT_STATE": folder}
        found = {"status_s_0": median([_status(env) for _ in range(runs)])}
        _fill(Path(folder) / "progress.jsonl")
        found[f"status_s_{LINES}"] = median([_status(env) for _ in range(runs)])
        found[f"observe_s_{LINES}"] = median([_observe(env) for _ in range(runs)])
    return found


def _fill(file: Path) -> None:
    with file.open("w", encoding="utf-8") as out:
        for number in range(LINES):
            facts = {"choice": "x" * 80, "correct": bool(number % 2), "lesson": "03-a-lesson"}
            entry = {"at": float(number), "kind": "answer", "id": f"question-{number % 600}"}
            out.write(json.dumps(entry | facts) + "\n")


def _status(env: dict[str, str]) -> float:
    return _seconds(lambda: _output([str(paths.repo() / "lab"), "status"], env))


def _observe(env: dict[str, str]) -> float:
    return float(_output([sys.executable, "-c", _OBSERVE], env))


def _output(command: list[str], env: dict[str, str]) -> str:
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout


def _seconds(what: Callable[[], object]) -> float:
    began = time.perf_counter()
    what()
    return time.perf_counter() - began
