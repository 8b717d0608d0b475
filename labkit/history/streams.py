"""When a worker was connected to its sidecar, and which activities a lost connection cut off.

Read from the sidecar's log, because the history holds neither: an activity that was cut off and
ran again is one ``taskScheduled`` and one ``taskCompleted`` there (measured on 1.18.1). A log
without these lines (its level hides them) gives empty answers.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

CONNECTED = "work item stream established"
ABORTED = "execution failed with a recoverable error and will be retried later: execution aborted"
_TIME = re.compile(r'\btime"?[=:]\s?"([^"]+)"')
# The ID of an activity's actor: instance ID, number of the step, generation of the instance.
_ACTIVITY = re.compile(rf'"(?P<instance>[^"]+)::(?P<number>\d+)::\d+: {ABORTED}"')


@dataclass(frozen=True)
class Cut:
    """A run of an activity that ended because the worker was gone.

    Attributes:
        app_id: the app that ran the activity.
        instance_id, number: the workflow instance that called it, and the number of the step.
        at: when, in seconds since the epoch.
        again: when a worker was connected next, so that it could run again; None: not yet.
    """

    app_id: str
    instance_id: str
    number: int
    at: float
    again: float | None


def connections(log: str) -> list[float]:
    """Return when a worker connected to the sidecar, in seconds since the epoch, oldest first."""
    return sorted(_time(line) for line in _lines(log, CONNECTED))


def next_after(moments: Sequence[float], moment: float) -> float | None:
    """Return the first of the sorted ``moments`` after ``moment``, or None."""
    index = bisect_right(moments, moment)
    return moments[index] if index < len(moments) else None


def cuts(app_id: str, log: str) -> list[Cut]:
    """Return the activities that the sidecar of ``app_id`` cut off, oldest first."""
    connected, found = connections(log), []
    for line in _lines(log, ABORTED):
        if match := _ACTIVITY.search(line):
            at = _time(line)
            again = next_after(connected, at)
            found.append(Cut(app_id, match["instance"], int(match["number"]), at, again))
    return found


def _lines(log: str, words: str) -> list[str]:
    if words not in log:
        return []
    return [line for line in log.splitlines() if words in line and _TIME.search(line)]


def _time(line: str) -> float:
    match = _TIME.search(line)
    assert match is not None, "only lines with a time are asked for one"
    # Go writes as many digits after the second as it needs, up to nine; Python 3.10 reads six.
    whole, _, fraction = match[1].removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{fraction:0<6.6}+00:00").timestamp()
