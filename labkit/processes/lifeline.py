"""The lifeline: ends every process of a lab when the kernel that started it is gone.

Runs as ``python -I -S lifeline.py RUN_ID``, one per lab, in a session of its own. Its standard
input is a pipe from the kernel: when the kernel ends, in whatever way, the pipe ends. A line
``quit`` says that all is stopped already. It finds the processes by the mark that every one of
them carries in its environment (``LABKIT_RUN=<run id>``), so nothing has to be registered and a
process that was started a moment before the kernel died is found too. It holds the lab's guard
socket and the lock of the run folder by inheritance until the last process is gone.

Standard library only: this file also runs without site-packages.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

MARK = "LABKIT_RUN"
GRACE_SECONDS = 2.0
LIMIT_SECONDS = 4.5


def marked(run_id: str) -> list[int]:
    """Return the pids of all processes that carry the mark of this run, except zombies."""
    mark = f"{MARK}={run_id}".encode()
    if os.path.isdir("/proc/self"):  # noqa: PTH112  (pathlib costs 10 ms here)
        return [p for p in map(int, filter(str.isdigit, os.listdir("/proc"))) if _has(p, mark)]  # noqa: PTH208
    return _marked_by_ps(mark)


def end(run_id: str, grace: float = GRACE_SECONDS, limit: float = LIMIT_SECONDS) -> list[int]:
    """End all processes of a run: TERM, then KILL after ``grace`` seconds.

    Nothing is left when nothing was found twice: a process that is starting carries no mark for a
    moment (seen under load).

    Returns:
        The pids that are still there after ``limit`` seconds; empty when all is well.
    """
    began = time.monotonic()
    told: set[int] = set()
    empty = 0
    while empty < 2:
        left = marked(run_id)
        late = time.monotonic() - began > grace
        for pid in left:
            if late or pid not in told:
                _signal(pid, signal.SIGKILL if late else signal.SIGTERM)
                told.add(pid)
        empty = 0 if left else empty + 1
        if left and time.monotonic() - began > limit:
            return left
        time.sleep(0.03)
    return []


def main() -> None:
    """Wait for the kernel's end or its ``quit``, then end what is left of the run."""
    run_id = sys.argv[1]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    heard = b""
    while chunk := os.read(0, 1024):
        heard += chunk
    if b"quit" not in heard:
        end(run_id)


def _has(pid: int, mark: bytes) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as environ:  # noqa: PTH123
            return mark in environ.read().split(b"\0")
    except OSError:  # gone, a zombie, or not ours
        return False


def _marked_by_ps(mark: bytes) -> list[int]:
    lines = subprocess.run(
        ["ps", "-axEww", "-o", "pid=,stat=,command="], capture_output=True, check=False
    ).stdout.splitlines()
    rows = [line.split(None, 2) for line in lines]
    return [
        int(r[0])
        for r in rows
        if len(r) == 3 and not r[1].startswith(b"Z") and mark in r[2].split(b" ")
    ]


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


if __name__ == "__main__":
    main()
