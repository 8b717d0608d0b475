"""Trace, metrics and logs of recorded runs say what belongs to which step."""

from __future__ import annotations

import xml.dom.minidom
from dataclasses import replace

import pytest

from labkit.prometheus import Sample, samples
from labkit.telemetry import RunMetrics, Views, Waterfall, bars, lines_of
from labkit.telemetry.recorded import load
from labkit.tracing import Trace
from labkit.tracing.spans import INSTANCE, STATUS

NAMES = ("healthy", "retried", "failed", "absent")


@pytest.mark.parametrize("name", NAMES)
def test_every_bar_that_has_ended_has_one_span_of_its_app(name):
    run = load(name)
    spans = list(run.trace().spans)
    for bar in bars(run.history):
        own = [s for s in spans if bar.is_of(s)]
        if bar.ended:
            assert [s.service for s in own] == [bar.app_id], bar


@pytest.mark.parametrize("name", ["healthy", "retried", "failed"])
def test_the_parent_of_a_span_is_the_workflow_that_called(name):
    run = load(name)
    trace = run.trace().spans
    workflow = {s.instance_id: s for s in trace if s.kind == "workflow"}
    parents = {h.instance_id: h for h in run.history.walk()}
    for span in trace:
        if span.kind in ("activity", "timer"):
            assert trace.parent(span) == workflow[span.instance_id]
    children = [(h.instance_id, c.instance_id) for h in parents.values() for c in h.children]
    for parent, child in children:
        assert trace.parent(workflow[child]) == workflow[parent]


def test_the_words_of_a_trace_are_the_same_in_every_run():
    assert repr(load("healthy").trace()) == (
        "trace of 8 spans\n"
        "  start task_with_audit on task-orchestrator-service\n"
        "    task_with_audit on task-orchestrator-service\n"
        "      validate_task on task-orchestrator-service\n"
        "      assign_task on task-orchestrator-service\n"
        "      send_email on notification-service\n"
        "      compliance_audit_workflow on audit-service\n"
        "        log_audit_event on audit-service\n"
        "        check_compliance_rules on audit-service"
    )


def test_a_workflow_that_has_not_ended_has_no_span_and_is_named():
    said = repr(load("absent").trace())
    assert "no span: task_processing_multi_app on task-orchestrator-service, which has not" in said


def test_a_workflow_that_has_continued_as_new_has_no_span_until_it_ends():
    (span,) = [s for s in load("failed").trace().spans if s.kind == "workflow"]
    tags = {**span.tags, INSTANCE: "absent", STATUS: "CONTINUED_AS_NEW"}
    view = Waterfall(Trace([replace(span, tags=tags)]), load("absent").history)
    assert [b.ended for b in view.missing if b.kind == "workflow"] == [False]


def test_only_the_workflow_says_in_its_span_that_it_failed():
    trace = load("failed").trace()
    assert [r.name for r in trace.rows if r.words] == ["task_processing_multi_app"]
    assert any(
        s.outcome == "failed" and s.name == "send_email" for s in load("failed").history.steps()
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_picture_is_xml_names_every_row_and_is_the_same_each_time(name):
    view = load(name).trace()
    drawn = xml.dom.minidom.parseString(view.svg)
    labels = [t.firstChild.data for t in drawn.getElementsByTagName("text")]
    for row in view.rows:
        assert f"{row.name} · {row.span.service}" in labels
    assert view.svg == load(name).trace().svg
    assert "<script" not in view.html


def test_many_spans_of_one_name_are_one_row():
    trace = load("healthy").trace().spans
    mail = next(s for s in trace if s.step == "send_email")
    many = [replace(mail, span_id=f"m{n}", failed=n == 3) for n in range(12)]
    rows = Waterfall(Trace([*trace, *many])).rows
    (row,) = [r for r in rows if r.span.step == "send_email"]
    assert (row.name, row.words) == ("send_email × 13", "1 failed")


def test_a_trace_without_spans_says_so():
    view = Waterfall(Trace([]), load("healthy").history)
    assert view.html == view.summary
    assert view.summary.startswith("trace of no spans")
    assert "no span: send_email on notification-service" in view.summary


# --- metrics ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_failure_is_in_the_counter_of_the_app_that_was_called(name):
    run = load(name)
    for step in run.history.steps():
        if step.outcome == "failed" and step.kind == "activity":
            assert run.metrics().of(step.name, step.app_id).executions["failed"] > 0


def test_each_try_is_counted():
    counted = load("retried").metrics().of("send_email", "notification-service")
    tries = [s for s in load("retried").history.steps() if s.name == "send_email"]
    assert counted.executions["failed"] == len(tries)


def test_a_call_that_cannot_be_dispatched_is_counted_as_recoverable_by_the_caller():
    counted = load("absent").metrics().of("task_processing_multi_app")
    assert counted.executions.get("recoverable", 0) > 0


COUNT = "dapr_runtime_workflow_activity_execution_count"
LABELS = {"app_id": "notification-service", "activity_name": "send_email", "status": "success"}


@pytest.mark.parametrize(
    ("before", "now", "counted"),
    [(0, 1, "1 success"), (4, 5, "1 success"), (9, 2, "2 success"), (3, 3, "none counted")],
)
def test_what_was_counted_before_the_run_is_taken_off(before, now, counted):
    history = load("healthy").history
    view = RunMetrics(history, [Sample(COUNT, LABELS, now)], [Sample(COUNT, LABELS, before)])
    assert view.of("send_email").words == counted, "a sidecar that was started again counts from 0"
    assert view.scope == "all instances during the time of this run"


def test_steps_that_have_ended_and_are_not_counted_yet_are_late():
    history = load("healthy").history
    assert "send_email" in [r.name for r in RunMetrics(history, []).late]
    assert "send_email" not in [
        r.name for r in RunMetrics(history, [Sample(COUNT, LABELS, 1)]).late
    ]


def test_the_text_format_is_read_with_its_quotes():
    text = '# HELP x y\nx{a="q\\"u,}o",b="1"} 2e+3\nx 4\nno number here {\n'
    assert samples(text) == [Sample("x", {"a": 'q\\"u,}o', "b": "1"}, 2000.0), Sample("x", {}, 4.0)]


def test_metrics_of_a_step_that_the_run_has_not_are_refused():
    with pytest.raises(KeyError, match="no step"):
        load("healthy").metrics().of("nothing")


# --- logs ------------------------------------------------------------------------------------

SIDECAR = """\
time="2026-11-26T09:00:00.5Z" level=info msg="order: starting new 'x' instance" app_id=a
time="2026-11-26T09:00:00.6Z" level=info msg="Workflow Actor 'order': completed" app_id=a
time="2026-11-26T09:00:00.7Z" level=info msg="failed in order to try again" app_id=a
time="2026-11-26T09:00:00.8Z" level=error msg="actor x.activity||order::3::1 is gone" app_id=a
time="2026-11-26T09:00:00.9Z" level=warning msg="a warning" app_id=a
time="2026-11-26T09:10:00.9Z" level=warning msg="a warning of later" app_id=a
time="soon" level=warning msg="a warning of no time" app_id=a
"""
WORKER = """\
{"at": "2026-11-26T09:00:00.5+00:00", "event": "sent", "task_id": "order"}
{"at": "2026-11-26T09:00:00.5+00:00", "event": "sent", "task_id": "pre-order-2"}
"""
NINE = 1795683600.0


def found(part, log, *ids):
    return [(x.text, x.joined) for x in lines_of("a", part, log, ids, NINE, NINE + 2)]


def test_a_line_of_a_sidecar_belongs_to_a_run_where_daprd_names_it():
    lines = found("sidecar", SIDECAR, "order")
    assert [text for text, joined in lines if joined == "id"] == [
        "order: starting new 'x' instance",
        "Workflow Actor 'order': completed",
        "actor x.activity||order::3::1 is gone",
    ]
    assert [text for text, joined in lines if joined == "time"] == ["a warning"]


def test_a_line_of_a_service_belongs_to_a_run_where_it_names_the_whole_id():
    assert len(found("worker", WORKER, "order")) == 1
    assert found("worker", WORKER, "ord") == []


@pytest.mark.parametrize("name", NAMES)
def test_the_words_of_the_logs_name_the_logs_and_no_times(name):
    logs = load(name).logs()
    assert "task-orchestrator-service sidecar" in logs.summary
    assert not any(c.isdigit() for c in logs.summary)
    assert all(line.text in logs.text for line in logs)


# --- the four together -----------------------------------------------------------------------


def test_the_four_views_stand_together_with_their_words_and_the_mark_of_a_recording():
    views = load("healthy").views()
    assert list(views.views) == ["swimlane", "trace", "metrics", "logs"]
    for words in (
        "recorded on Dapr 1.18",
        "trace of 8 spans",
        "send_email on notification-service",
    ):
        assert words in views.summary
    assert views.html.count("<section") == 4
    assert "recorded on Dapr 1.18" in views.html


def test_a_view_that_cannot_be_made_says_why():
    views = Views({"trace": "the apps of this lab send no spans to it"})
    assert "send no spans" in views.summary
    assert "send no spans" in views.html
