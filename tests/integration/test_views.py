"""One run, four views, on the real runtime: what each says of the same run is the same."""

from __future__ import annotations

import time

import pytest

from labkit import prometheus
from labkit.labs.workflowrun import NotTraced
from labkit.prometheus import PrometheusSilent
from labkit.telemetry import bars
from labkit.waiting import wait_until
from tests.support.deployments import traced
from tests.support.views import have_prometheus

ORCHESTRATOR, NOTIFICATIONS = "task-orchestrator-service", "notification-service"
APPS = (ORCHESTRATOR, NOTIFICATIONS, "audit-service")
ORDER = {"task_id": "t-1", "title": "x", "assignee_email": "a@b.de", "assignee_user_id": "a"}
MAILS_FAIL = """\
groups:
- name: workflows
  rules:
  - alert: MailsFail
    expr: dapr_runtime_workflow_activity_execution_count{status="failed"} > 0
"""


def ordered(lab, workflow, instance_id):
    client = lab.client(ORCHESTRATOR)
    client.schedule_new_workflow(workflow, input=ORDER, instance_id=instance_id)
    return lab.run(instance_id)


def require_a_span_for_every_bar(run):
    history, view = run.history, run.trace()
    trace = view.spans
    assert view.missing == []
    workflow = {s.instance_id: s for s in trace if s.kind == "workflow"}
    called_by = {c.instance_id: h.instance_id for h in history.walk() for c in h.children}
    for bar in bars(history):
        (span,) = [s for s in trace if bar.is_of(s)]
        assert span.service == bar.app_id
        above = called_by.get(bar.instance_id) if bar.kind == "workflow" else bar.instance_id
        if above:
            assert trace.parent(span) == workflow[above]
    assert len(trace.trace_ids) == 1
    assert len(trace.roots) == 1


@pytest.mark.parametrize("exporter", ["zipkin", "otlp"])
def test_every_bar_of_the_swimlane_has_its_span_and_every_failure_its_counter(
    make_lab, tmp_path, exporter
):
    lab = make_lab(traced(tmp_path, exporter))
    lab.up(*APPS, announce=False)
    audited = ordered(lab, "task_with_audit", "healthy").wait(usual=60)
    require_a_span_for_every_bar(audited)
    assert {row.words for row in audited.metrics().rows} == {"1 success"}
    lab.kill("mail", announce=False)
    failed = ordered(lab, "task_processing_multi_app", "failed").wait(usual=60)
    assert failed.status == "FAILED"
    require_a_span_for_every_bar(failed)
    counted = failed.metrics()
    assert counted.of("send_email", NOTIFICATIONS).executions["failed"] == 1
    assert counted.of("task_processing_multi_app").executions["failed"] == 1
    assert "completed with a FAILED status" in failed.logs().text
    assert list(failed.views().views) == ["swimlane", "trace", "metrics", "logs"]
    # Nothing of the lab's own questions is kept.
    assert "/v1.0/metadata" not in (lab.folder / "spans.jsonl").read_text().lower()


def test_a_lab_whose_files_send_no_spans_says_what_to_write(make_lab, small):
    lab = make_lab(small)
    lab.up(announce=False)
    lab.client("caller").schedule_new_workflow("call", input={}, instance_id="order")
    run = lab.run("order").wait(usual=60)
    with pytest.raises(NotTraced) as caught:
        run.trace()
    assert "$SPANS_HOST/api/v2/spans" in caught.value.fix
    assert "send no spans" in run.views().summary
    assert "spans" not in [p.name for p in lab.processes()], "nothing that was not asked for"


@have_prometheus
def test_prometheus_asks_every_program_takes_rules_and_comes_back_after_a_kill(make_lab, small):
    lab = make_lab(small)
    lab.up("target", announce=False)
    with pytest.raises(PrometheusSilent):
        prometheus.Prometheus("http://127.0.0.1:1").targets()
    handle = lab.prometheus()
    assert handle.targets() == {"placement": True, "scheduler": True, "target": True}
    assert handle.rules() == []
    rules = lab.run_file.path.parent / "alerts.yml"
    rules.write_text(MAILS_FAIL)
    assert lab.prometheus("alerts.yml").rules() == ["MailsFail"]
    rules.write_text(MAILS_FAIL.replace("MailsFail", "Other"))
    assert lab.prometheus("alerts.yml").rules() == ["Other"], "read again, not started again"
    with pytest.raises(PrometheusSilent, match="no usable answer") as caught:
        handle.query("up{")
    assert "parse error" in caught.value.found

    lab.up("caller", announce=False)
    wait_until(
        lambda: "caller" in handle.targets(),
        what="an app that was started later is asked",
        usual=30,
    )
    lab.client("caller").schedule_new_workflow("call", input={}, instance_id="one")
    lab.run("one").wait(usual=60)
    wait_until(lambda: handle.query(prometheus_sum("call")), usual=30)
    seen = time.time()
    lab.client("caller").schedule_new_workflow("call", input={}, instance_id="two")
    two = lab.run("two").wait(usual=60)
    assert two.metrics().of("call").words == "1 success", "what was counted before is not its own"
    lab.kill("prometheus", announce=False)
    assert "prometheus" in [t.name for t in lab.troubles()]
    lab.up(announce=False)
    wait_until(
        lambda: handle.query(prometheus_sum("call"), at=seen), what="it keeps its values", usual=30
    )


def prometheus_sum(workflow: str) -> str:
    return f'dapr_runtime_workflow_execution_count{{workflow_name="{workflow}"}}'
