"""When an app could not work: from the end of a process until a worker was connected again."""

from __future__ import annotations

from datetime import datetime, timezone
from types import SimpleNamespace

import pytest

from labkit.apps.app import App


def log_of(*moments: float) -> str:
    """The lines with which a sidecar says that a worker connected."""
    stamps = [datetime.fromtimestamp(m, timezone.utc).isoformat()[:26] for m in moments]
    return "\n".join(f'time="{s}Z" msg="work item stream established by x"' for s in stamps)


def app(log: str, *lives: tuple[str, float, float | None]):
    """Stands for an app with these lives of its parts: part, start, end."""
    past = [(p, SimpleNamespace(started_at=a, ended_at=b)) for p, a, b in lives]
    return SimpleNamespace(app_id="x", past=past, logs=lambda part: log)


def downs(log: str, *lives: tuple[str, float, float | None], since: float = 1000.5):
    return [(d.part, d.start, d.end) for d in App.downs(app(log, *lives), since)]


SIDECAR = ("sidecar", 1000.0, None)


@pytest.mark.parametrize(
    ("connected", "second", "end"),
    [
        ([1001.25, 1004.5], 1003.0, 1004.5),  # started again, and connected later
        ([1001.25], 1003.0, None),  # started again, not connected yet
        ([1001.25], None, None),  # not started again
        ([1001.25, 1005.5], None, 1005.5),  # started by somebody else
        ([], 1003.0, 1003.0),  # a log that says nothing
        ([], None, None),
    ],
)
def test_a_worker_is_down_until_one_is_connected_again(connected, second, end):
    lives = [SIDECAR, ("worker", 1000.0, 1002.0)]
    lives += [("worker", second, None)] if second else []
    assert downs(log_of(*connected), *lives) == [("worker", 1002.0, end)]


def test_a_sidecar_is_down_until_its_worker_is_connected_again():
    lives = [("sidecar", 1000.0, 1002.0), ("worker", 1000.0, None), ("sidecar", 1002.5, None)]
    assert downs(log_of(1001.25, 1005.5), *lives) == [("sidecar", 1002.0, 1005.5)]


def test_an_app_that_was_started_later_is_down_until_then():
    told = downs(log_of(1001.25), SIDECAR, ("worker", 1000.0, None), since=999.0)
    assert told == [("app", 999.0, 1001.25)]
