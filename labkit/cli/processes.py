"""``./lab ps``, ``./lab stop`` and ``./lab logs APP``: labs that run on this machine."""

from __future__ import annotations

import argparse
import itertools
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from labkit import paths, runs
from labkit.errors import ObservationError


class NoSuchLog(ObservationError):
    """No run has a log of that name."""

    code = "no-such-log"


class NoSuchLab(ObservationError):
    """A lab that was named is not running."""

    code = "no-such-lab"


def main(argv: Sequence[str]) -> int:
    """Run one of the three verbs; ``argv`` starts with it."""
    verb, rest = argv[0], argv[1:]
    return {"ps": _ps, "stop": _stop, "logs": _logs}[verb](rest)


def _ps(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="./lab ps", description="the labs that run now")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args(argv)
    found = [r for r in runs.all_runs() if r.alive or r.processes]
    if options.json:
        told = [
            {"id": r.id, "kernel": r.kernel_pid, "pids": list(r.processes), "apps": list(r.apps)}
            for r in found
        ]
        print(json.dumps({"labs": told}))
        return 0
    for run in found:
        print(f"lab {run.id}, kernel {run.kernel_pid}, {run.facts.get('run_file')}")
        for pid in run.processes:
            print(f"  {pid:>8}  {_named(pid)}")
    if not found:
        print("no lab is running")
    return 0


def _stop(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="./lab stop", description="end all processes of labs")
    parser.add_argument("id", nargs="*", help="of ./lab ps; none means all")
    options = parser.parse_args(argv)
    running = [r for r in runs.all_runs() if r.processes]
    if strangers := set(options.id) - {r.id for r in running}:
        raise NoSuchLab(
            f"no lab {', '.join(sorted(strangers))} is running",
            asked=f"./lab stop {' '.join(options.id)}",
            found=f"running: {', '.join(r.id for r in running) or 'none'}",
            look_at="./lab ps",
            fix="name one that is running, or none to end all",
        )
    left: list[int] = []
    for run in [r for r in running if not options.id or r.id in options.id]:
        left += runs.stop(run)
        print(f"lab {run.id}: ended {len(run.processes)} processes")
    if not running:
        print("no lab is running")
    if left:
        print(f"not ended: {left}; they belong to another user")
    return 1 if left else 0


def _logs(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="./lab logs", description="follow a log; Ctrl-C ends")
    parser.add_argument("app", help="an app ID, or placement, scheduler, mail, redis")
    parser.add_argument("part", nargs="?", default="worker", choices=["worker", "sidecar"])
    parser.add_argument("--no-follow", action="store_true", help="print what there is and end")
    options = parser.parse_args(argv)
    log = _newest_log(options.app, options.part)
    with log.open("r", errors="replace") as lines:
        while True:
            text = lines.read()
            print(text, end="", flush=True)
            if options.no_follow:
                return 0
            if not text:
                time.sleep(0.2)


def _newest_log(app: str, part: str) -> Path:
    for run in reversed(runs.all_runs()):
        for name in (f"{app}.{part}.log", f"{app}.log"):
            if (run.path / "logs" / name).exists():
                return run.path / "logs" / name
    logs = sorted({p.name for r in runs.all_runs() for p in (r.path / "logs").glob("*.log")})
    raise NoSuchLog(
        f"there is no log of {app} {part}",
        asked=f"the newest log of {app}",
        found=f"logs: {', '.join(logs) or 'none, because no lab has run yet'}",
        look_at=os.fspath(paths.runs()),
        fix="name an app of a lab that has run",
    )


def _named(pid: int) -> str:
    try:
        words = psutil.Process(pid).cmdline()
    except psutil.Error:
        return "(ended)"
    app = next((b for a, b in itertools.pairwise(words) if a == "--app-id"), "")
    return f"{Path(words[0]).name} {app or ' '.join(words[1:3])}" if words else "?"
