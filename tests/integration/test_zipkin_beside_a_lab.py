"""Zipkin itself beside a lab, where Java and the jar are; elsewhere the error that names them."""

from __future__ import annotations

import psutil
import pytest

from labkit.errors import LabError
from labkit.labs.workflowrun import NotTraced
from labkit.tracing import zipkin
from labkit.tracing.zipkin import NoZipkin
from labkit.waiting import wait_until
from tests.support.deployments import traced
from tests.support.system import listening

ORCHESTRATOR, NOTIFICATIONS = "task-orchestrator-service", "notification-service"
ORDER = {"task_id": "t-1", "title": "x", "assignee_email": "a@b.de", "assignee_user_id": "a"}


def found() -> bool:
    try:
        return bool(zipkin.command(20001))
    except LabError:
        return False


def ordered(lab, instance_id):
    client = lab.client(ORCHESTRATOR)
    client.schedule_new_workflow("task_processing_multi_app", input=ORDER, instance_id=instance_id)
    return lab.run(instance_id).wait(usual=60)


def has_all(handle, run):
    trace = run.trace().spans
    (trace_id,) = trace.trace_ids
    wanted = {s.span_id for s in trace}
    return wait_until(
        lambda: wanted <= {s["id"] for s in handle.spans(trace_id)},
        what="Zipkin has every span of the trace",
        usual=20,
    )


def test_a_lab_whose_files_send_no_spans_starts_no_zipkin(make_lab, small):
    lab = make_lab(small)
    lab.up("target", announce=False)
    with pytest.raises(NotTraced, match="send no spans"):
        lab.zipkin()
    assert "zipkin" not in [p.name for p in lab.processes()]


if found():

    @pytest.mark.timeout(600)
    def test_zipkin_has_the_trace_listens_on_loopback_only_and_ends_with_the_lab(
        make_lab, tmp_path
    ):
        lab = make_lab(traced(tmp_path, "otlp"))
        lab.up(ORCHESTRATOR, NOTIFICATIONS, announce=False)
        before = ordered(lab, "before")
        handle = lab.zipkin()
        assert has_all(handle, before), "what was sent before it was started"
        assert has_all(handle, ordered(lab, "after"))
        assert lab.zipkin().url == handle.url, "started once"
        (process,) = [p for p in lab.processes() if p.name == "zipkin"]
        sockets = listening(lab.folder.name)["java"]
        assert {host for host, _ in sockets} == {"127.0.0.1"}, "no UDP socket either"
        print(f"zipkin takes {psutil.Process(process.pid).memory_info().rss >> 20} MiB")

        lab.kill("zipkin", announce=False)
        assert not handle.is_ready()
        lab.up(announce=False)
        assert has_all(lab.zipkin(), before), "it gets everything again"
        (process,) = [p for p in lab.processes() if p.name == "zipkin"]
        lab.down()
        assert not psutil.pid_exists(process.pid)

else:

    def test_this_machine_has_no_java_or_no_jar_so_only_the_error_of_zipkin_is_tested(
        make_lab, tmp_path
    ):
        lab = make_lab(traced(tmp_path, "otlp"))
        lab.up(NOTIFICATIONS, announce=False)
        with pytest.raises(NoZipkin) as caught:
            lab.zipkin()
        assert "./lab zipkin" in caught.value.fix or "openjdk" in caught.value.fix
        lab.up(announce=False)
        assert "zipkin" not in [p.name for p in lab.processes()]
