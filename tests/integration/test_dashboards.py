"""Every panel of the dashboards that the course ships has data on the real runtime.

And what the course has changed of Dapr's, or left out, has none as Dapr has written it.
"""

from __future__ import annotations

import time
from itertools import count

import pytest

from labkit.prometheus import WrongDashboard, dashboards, panels
from tests.support.dashboards import APPS, watched
from tests.support.views import have_prometheus

ORCHESTRATOR, NOTIFICATIONS = APPS[:2]
ORDER = {"task_id": "t-1", "title": "x", "assignee_email": "a@b.de", "assignee_user_id": "a"}
REFUSED = """{"title": "Own", "panels": [
  {"title": "Broken", "targets": [
    {"expr": "up{"}]}]}"""


def ordered(lab, workflow, instance_id):
    client = lab.client(ORCHESTRATOR)
    client.schedule_new_workflow(workflow, input=ORDER, instance_id=instance_id)
    return lab.run(instance_id)


def invoke(lab, number: int) -> None:
    """Let an app invoke another, in both ways."""
    for way in ("by_sdk", "by_http"):
        client, name = lab.client("desk"), f"{way}-{number}"
        client.schedule_new_workflow("ask", input=[way, "shipping"], instance_id=name)
        assert lab.run(name).wait(usual=60).status == "COMPLETED"


def all_of(name: str) -> list[str]:
    """The names of the panels of a dashboard, each with its row."""
    return [p.names[1] for p in dashboards.dashboard(name).panels]


def until_all_have_data(handle, boards, again) -> None:
    """Do something again until every panel of some dashboards has data.

    A rate needs a counter that grew between two looks of Prometheus within four seconds. On a busy
    machine a look is missed, and what happened once has no rate for ever.
    """
    ends = time.monotonic() + 90
    for number in count(1):
        empty = [
            f"{name}: {panel}"
            for name in boards
            for panel in all_of(name)
            if not handle.panel(panel, name).has_data
        ]
        if not empty:
            return
        assert time.monotonic() < ends, empty
        again(number)


def as_dapr_has_it(handle, name: str) -> dict[str, panels.Drawn]:
    """What each panel of Dapr's file shows, without the changes of the course."""
    board = dashboards.read(dashboards.COURSE[name])
    return {
        panel.names[1]: panels.drawn(board, panel.names[1], handle, 300, {})
        for panel in board.panels
    }


@have_prometheus
def test_every_panel_has_data_and_what_was_changed_or_left_out_had_less(make_lab, tmp_path):
    lab = make_lab(watched(tmp_path / "watched"))
    lab.up(*APPS, announce=False)
    assert "mTLS is disabled" not in lab.app(ORCHESTRATOR).logs("sidecar")
    handle = lab.prometheus()
    assert ordered(lab, "task_with_audit", "healthy").wait(usual=60).status == "COMPLETED"
    until_all_have_data(handle, ["sidecar", "actor"], lambda number: invoke(lab, number))
    lab.kill("mail", announce=False)
    assert ordered(lab, "task_processing_multi_app", "failed").wait(usual=60).status == "FAILED"
    retried = ordered(lab, "resilient_task_processing", "retried").wait(usual=60)
    assert len([s for s in retried.history.steps() if s.name == "send_email"]) > 1
    lab.stop(NOTIFICATIONS, announce=False)
    ordered(lab, "task_processing_multi_app", "waiting")
    until_all_have_data(handle, dashboards.COURSE, lambda _: time.sleep(0.5))

    for name in ("sidecar", "actor"):
        shipped, theirs = all_of(name), as_dapr_has_it(handle, name)
        left_out = set(theirs) - set(shipped)
        assert {panel for panel in left_out if theirs[panel].has_data} == set()
        for panel in shipped:
            ours = handle.panel(panel, name)
            if ours.expressions != theirs[panel].expressions:
                assert len(theirs[panel].curves) < len(ours.curves), panel

    ended = handle.panel("Workflows that ended")
    assert {name for name, _ in ended.curves} >= {
        "task_processing_multi_app failed",
        "task_with_audit success",
    }
    (waits,) = handle.panel("Turns that are tried again").curves
    assert waits[0] == f"task_processing_multi_app of {ORCHESTRATOR}"
    assert [n for n, s in handle.panel("Programs that answer").curves if s.values[-1] == 0] == [
        NOTIFICATIONS
    ]
    only = handle.panel("Reminders that came", app_id="audit-service")
    assert [name for name, _ in only.curves] == ["audit-service"]

    (tmp_path / "own.json").write_text(REFUSED)
    with pytest.raises(WrongDashboard) as caught:
        handle.panel("Broken", tmp_path / "own.json")
    assert caught.value.look_at == f"{tmp_path / 'own.json'}:3"
    assert "parse error" in caught.value.found
