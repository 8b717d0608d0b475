"""``./lab ps``, ``./lab stop`` and ``./lab logs APP``: labs that run on this machine."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from labkit import paths
from labkit.errors import LabError, ObservationError
from labkit.labs import runs
from labkit.labs.attached import Attached
from labkit.processes import lives


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
    found = [_seen(r) for r in runs.all_runs() if r.alive or r.processes]
    if options.json:
        print(json.dumps({"labs": found}))
        return 0
    for lab in found:
        print(_text(lab))
    if not found:
        print("no lab is running")
    return 0


def _seen(run: runs.RunInfo) -> dict[str, Any]:
    """Return what is known of a lab from outside."""
    newest = lives.newest(run.path)
    named = {life.pid: life.name for life in newest if life.is_alive}
    children = {pid: _child(pid, named) for pid in run.processes if pid not in named}
    return {
        "id": run.id,
        "kernel": run.kernel_pid,
        "run_file": run.facts.get("run_file"),
        "notebook": run.facts.get("notebook"),
        "state": _state(run),
        "pids": list(run.processes),
        "apps": list(run.apps),
        "processes": [_life(life) for life in newest],
        "children": {pid: name for pid, name in children.items() if name},
        "newer_files": _newer(run) if run.processes else {},
    }


def _state(run: runs.RunInfo) -> str:
    """Say in words what a lab is doing, for its first line."""
    if whole := lives.stopped(run.path):
        return f"{whole.how}; {whole.fix}"
    if not run.has_kernel:
        return "its kernel has ended, and what is left is being ended"
    return "a check runs in it" if run.is_private else "running"


def _life(life: lives.Seen) -> dict[str, Any]:
    alive = life.is_alive
    last = "" if alive else life.last_line()
    return {
        "name": life.name,
        "pid": life.pid if alive else None,
        "how": life.ending(),
        "log": last,
    }


def _newer(run: runs.RunInfo) -> dict[str, list[str]]:
    """Return, by app ID, the files that were saved after the processes that use them started."""
    with suppress(LabError):  # the run file is not as it was, or gone
        seen = Attached(Path(str(run.facts.get("run_file"))), run)
        try:
            return {a.name: f for a in seen.started_apps() if (f := a.newer_files())}
        finally:
            seen.close()
    return {}


def _child(pid: int, named: dict[int, str]) -> str:
    """Name a process that a service or a sidecar started itself; "" when it is gone."""
    try:
        words = psutil.Process(pid).cmdline()
        parent = named.get(os.getsid(pid), "a process that has ended")
    except (psutil.Error, OSError):
        return ""
    return f"started by {parent}: {' '.join([Path(words[0]).name, *words[1:]])}" if words else ""


def _text(lab: dict[str, Any]) -> str:
    lines = [f"lab {lab['id']}, kernel {lab['kernel']}, {lab['run_file']}: {lab['state']}"]
    for life in lab["processes"]:
        said = f'; its log says: "{life["log"]}"' if life["log"] else ""
        lines.append(f"  {life['pid'] or '-':>8}  {life['name']}: {life['how']}{said}")
    lines += [f"  {pid:>8}  {name}" for pid, name in lab["children"].items()]
    for app_id, files in lab["newer_files"].items():
        what = f"{', '.join(files)}: saved after it was started"
        lines.append(f"            {app_id}: {what}; lab.restart({app_id!r}) loads it")
    return "\n".join(lines)


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
        count = len(run.processes)
        print(f"lab {run.id}: ended {count} process{'es' if count != 1 else ''}")
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
