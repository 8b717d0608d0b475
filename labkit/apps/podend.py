"""How a pod ends in a cluster: hook, SIGTERM, grace period, SIGKILL. Here for one app of a lab.

The kubelet counts the grace period from the beginning, the hook included, and tells all containers
at once; only a container with a hook is told when its hook is over (Kubernetes, "Pod Lifecycle",
Termination of Pods). The first process of a container ignores SIGTERM unless it handles it, as
PID 1 does (kill(2)); here that is read from ``/proc``, where there is one.
"""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from labkit.apps.ownapp import OwnApp
from labkit.apps.parts import HOST, PARTS, Part
from labkit.errors import StartError
from labkit.manifests import Pod, PreStop
from labkit.processes.supervisor import Process
from labkit.waiting import poll

PAUSE_SECONDS = 0.01


@dataclass(frozen=True)
class Ending:
    """How one container of a pod has ended.

    Attributes:
        seconds: from the beginning of the end of the pod.
        was_killed: the grace period was over before it had ended.
        ignored: it does not handle SIGTERM, and so was not told.
    """

    part: Part
    seconds: float
    was_killed: bool
    ignored: bool = False

    def __str__(self) -> str:
        how = "killed after the grace period" if self.was_killed else "ended in good order"
        return f"{self.part}: {how}{', it does not handle SIGTERM' if self.ignored else ''}"


def end(app: OwnApp) -> list[Ending]:
    """End the processes of an app as the kubelet ends a pod; return how each has ended.

    Takes as long as they take, the grace period at most.
    """
    pod = app.spec
    assert isinstance(pod, Pod), "only apps of manifests are pods"
    began = time.monotonic()
    ends = [
        _End(part, process, began, pod.pre_stop if part == "worker" else None, app)
        for part in PARTS
        if (process := app.process(part)) and process.is_alive
    ]
    poll(lambda: _all_over(ends), pod.grace_seconds, every=PAUSE_SECONDS)
    for one in ends:
        one.kill()
    return [one.ending for one in ends if one.ending]


def _all_over(ends: Iterable[_End]) -> bool:
    steps = [one.is_over() for one in ends]  # each takes its step, also when one goes on
    return all(steps)


def handles_sigterm(pid: int) -> bool | None:
    """Whether a process has a handler for SIGTERM; None where there is no ``/proc``."""
    with suppress(OSError):
        status = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
        caught = re.search(r"^SigCgt:\s*([0-9a-f]+)$", status, re.MULTILINE)
        if caught:
            return bool(int(caught[1], 16) >> (signal.SIGTERM - 1) & 1)
    return None


class _End:
    """The end of one container, step by step."""

    def __init__(
        self, part: Part, process: Process, began: float, hook: PreStop | None, app: OwnApp
    ) -> None:
        self.part, self.process, self.began = part, process, began
        self.is_hook_over = _started(hook, app) if hook else lambda: True
        self.was_told, self.ignored = False, False
        self.ending: Ending | None = None

    def is_over(self) -> bool:
        """Do the next step that is due; return whether the process has ended."""
        if self.ending is None and not self.process.is_alive:
            self.ending = Ending(self.part, self._seconds(), False, self.ignored)
        elif not self.was_told and self.is_hook_over():
            self.was_told = True
            self.ignored = handles_sigterm(self.process.pid) is False
            if not self.ignored:
                self.process.signal(signal.SIGTERM)
        return self.ending is not None

    def kill(self) -> None:
        """The grace period is over."""
        if self.ending is None:
            self.process.kill()
            self.ending = Ending(self.part, self._seconds(), True, self.ignored)

    def _seconds(self) -> float:
        return time.monotonic() - self.began


def _started(hook: PreStop, app: OwnApp) -> Callable[[], bool]:
    """Start a hook; return the question whether it is over."""
    if hook.path:
        with suppress(httpx.HTTPError):
            app.shared.http.get(f"http://{HOST}:{app.ports.app}{hook.path}")
    if hook.command:
        with suppress(StartError):  # a hook that cannot be started is over
            running = app.run_beside("hook", hook.command)
            return lambda: not running.is_alive
    until = time.monotonic() + hook.seconds
    return lambda: time.monotonic() >= until
