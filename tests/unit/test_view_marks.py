"""The table of what each view shows of a fault, and the rules that make it."""

from __future__ import annotations

import pytest

from labkit import versions
from labkit.exercises import load as load_exercise
from labkit.telemetry.recorded import load
from tests.support import measure_views as table
from tests.support.view_marks import Mark, gaps, marks

ORCHESTRATOR, NOTIFICATIONS = "task-orchestrator-service", "notification-service"


def views_of(name):
    return load(name).views().views


def test_the_table_names_every_break_lab_and_is_made_from_its_data():
    told = table.measured()
    assert told["runtime"] == versions.DAPR_RUNTIME
    assert set(told["labs"]) == {e.id for e in table.break_labs()}
    assert table.PAGE.read_text("utf-8") == table.page()
    assert versions.DAPR_RUNTIME in table.page()


@pytest.mark.parametrize(
    ("id", "places"),
    [
        ("audited-orders-fail", ["audit-service"]),  # code
        ("healthy-and-not-there", ["notification-service"]),  # its part of the run file
        ("nothing-at-the-hour", ["scheduler"]),  # an accident
        ("done-and-still-running", ["components/access.yaml"]),  # a file of all apps
    ],
)
def test_the_place_of_a_fault_is_where_its_files_differ(id, places):
    assert table.places(load_exercise(id)) == places == table.measured()["labs"][id]["places"]


def test_each_fault_showed_its_symptom_and_the_whole_system_none():
    told = table.measured()["labs"]
    wrong = {id for id, row in told.items() if not all(row["right"].values())}
    assert wrong <= {"nobody-is-called"}, "its check needs Prometheus; its scenario starts no app"


def test_every_bar_had_its_span_and_every_failure_its_counter_but_for_one_fault():
    told = table.measured()["labs"]
    assert [id for id, row in told.items() if row["gaps"]["whole"]] == []
    torn = [id for id, row in told.items() if row["gaps"]["fault"]]
    assert torn == ["the-trace-ends-at-the-border"], "where one app sends no spans"


def test_a_healthy_run_has_no_marks():
    asked = [views_of("healthy")]
    assert list(gaps(asked[0])) == []
    for view in ("swimlane", "trace", "metrics", "logs"):
        assert marks(asked, view, [ORCHESTRATOR]) == set()


def test_a_failure_is_marked_at_its_step_where_a_view_knows_it():
    asked = [views_of("failed")]
    assert list(gaps(asked[0])) == []
    failed = Mark("failed", NOTIFICATIONS, "send_email")
    assert marks(asked, "swimlane") == {failed}
    assert marks(asked, "metrics") == {failed}
    assert marks(asked, "trace") == {Mark("failed", ORCHESTRATOR, "task_processing_multi_app")}


def test_a_run_that_waits_is_marked_by_what_it_lacks():
    asked = [views_of("absent")]
    workflow = (ORCHESTRATOR, "task_processing_multi_app")
    assert Mark("recoverable", *workflow) in marks(asked, "metrics")
    assert {m.what for m in marks(asked, "swimlane")} == {"open"}
    assert {m.what for m in marks(asked, "trace")} == {"open"}
    lines = marks(asked, "logs", [NOTIFICATIONS])
    assert any(NOTIFICATIONS in m.places for m in lines if m.what == "warning")


def test_a_view_that_no_run_has_is_not_asked():
    assert marks([{"trace": "send no spans"}], "trace") is None
