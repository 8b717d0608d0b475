"""Spans as sidecars send them become records, and those of one instance become its trace."""

from __future__ import annotations

import json
import threading
from http.client import HTTPConnection

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from labkit.tracing import Span, of_instance, read
from labkit.tracing.catcher import MOST_BYTES, appending, server
from labkit.tracing.received import from_otlp, from_zipkin, is_noise

ZIPKIN = {
    "traceId": "5f1423d16ff032db425b708b5a96a371",
    "id": "00f067aa0ba902b7",
    "parentId": "c49953cbefcd8277",
    "name": "activity||send_email",
    "timestamp": 1_700_000_000_500_000,
    "duration": 250_000,
    "localEndpoint": {"serviceName": "notification-service"},
    "tags": {
        "durabletask.task.instance_id": "order",
        "durabletask.task.task_id": "3",
        "durabletask.task.name": "Send_Email",
    },
}


def otlp(failed: bool = False) -> bytes:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    service = resource.resource.attributes.add(key="service.name")
    service.value.string_value = "notification-service"
    span = resource.scope_spans.add().spans.add(
        trace_id=bytes.fromhex(ZIPKIN["traceId"]),
        span_id=bytes.fromhex(ZIPKIN["id"]),
        parent_span_id=bytes.fromhex(ZIPKIN["parentId"]),
        name=ZIPKIN["name"],
        start_time_unix_nano=1_700_000_000_500_000_000,
        end_time_unix_nano=1_700_000_000_750_000_000,
    )
    for key, value in ZIPKIN["tags"].items():
        attribute = span.attributes.add(key=key)
        if key.endswith("task_id"):
            attribute.value.int_value = int(value)
        else:
            attribute.value.string_value = value
    if failed:
        span.status.code = span.status.STATUS_CODE_ERROR
    return request.SerializeToString()


def span(name: str, number: int, parent: int = 0, **more) -> Span:
    instance = more.pop("instance", "order")
    tags = {"durabletask.task.instance_id": instance} if "||" in name or name == "timer" else {}
    tags |= {"durabletask.task.task_id": str(number)} if name.startswith("activity") else {}
    given = {"trace_id": "t", "service": "a", "start": float(number), "seconds": 1.0, "tags": tags}
    return Span(span_id=f"s{number}", parent_id=f"s{parent}", name=name, **{**given, **more})


def test_both_forms_of_a_span_become_the_same_record():
    (zipkin,), (protobuf,) = from_zipkin([ZIPKIN]), from_otlp(otlp())
    assert zipkin == protobuf
    assert (zipkin.kind, zipkin.step, zipkin.instance_id) == ("activity", "Send_Email", "order")
    assert (zipkin.task_id, zipkin.service) == (3, "notification-service")
    assert (zipkin.start, zipkin.seconds, zipkin.failed) == (1_700_000_000.5, 0.25, False)


def test_a_span_says_that_it_failed_in_both_forms():
    assert from_otlp(otlp(failed=True))[0].failed
    assert from_zipkin([{**ZIPKIN, "tags": {"error": "no mail server"}}])[0].failed


@pytest.mark.parametrize(
    "sent",
    [{}, "x", [1], [{"id": "1"}], [{**ZIPKIN, "timestamp": "soon"}], [{**ZIPKIN, "tags": 3}]],
)
def test_what_is_no_list_of_spans_is_refused(sent):
    with pytest.raises(ValueError, match=r"span"):
        from_zipkin(sent)


def test_what_is_no_protobuf_is_refused():
    with pytest.raises(ValueError, match="OTLP"):
        from_otlp(b"\xff\xff not protobuf")


@pytest.mark.parametrize(
    "name",
    [
        "/v1.0/metadata",
        "/TaskHubSidecarService/GetWorkItems",
        "/taskhubsidecarservice/getinstance",
        "CallActor/dapr.internal.default.a.retentioner/LabReadiness",
    ],
)
def test_calls_that_are_repeated_as_long_as_a_lab_runs_are_noise(name):
    assert is_noise(span(name, 1))


@pytest.mark.parametrize(
    "name", ["activity||send_email", "timer", "/TaskHubSidecarService/StartInstance"]
)
def test_what_is_of_a_workflow_is_no_noise(name):
    assert not is_noise(span(name, 1))


def test_a_trace_holds_the_steps_of_one_instance_and_of_the_children_that_it_called():
    spans = [
        span("/TaskHubSidecarService/StartInstance", 1),
        span("create_orchestration||order", 2, 1),
        span("orchestration||order", 3, 2),
        span("activity||check", 4, 3),
        span("CallActor/x", 5, 3),
        span("orchestration||audit", 6, 5, instance="audit-1", service="b"),
        span("activity||check", 7, 0, instance="another", trace_id="u"),
    ]
    trace = of_instance(spans, "order")
    assert [(depth, s.span_id) for depth, s in trace.walk()] == [
        (0, "s2"),
        (1, "s3"),
        (2, "s4"),
        (2, "s6"),
    ]
    assert trace.parent(trace[3]) == trace[1], "what hangs below a single call hangs below its step"
    assert trace.trace_ids == ["t"]


def test_the_parts_of_a_torn_trace_are_found_by_the_instances_of_the_children():
    spans = [
        span("orchestration||order", 1),
        span("orchestration||audit", 2, 9, instance="audit-1", trace_id="u"),
        span("activity||log", 3, 2, instance="audit-1", trace_id="u"),
    ]
    assert len(of_instance(spans, "order").roots) == 1
    torn = of_instance(spans, ["order", "audit-1"])
    assert [s.span_id for s in torn.roots] == ["s1", "s2"]
    assert torn.trace_ids == ["t", "u"]


def test_spans_that_name_each_other_as_parents_do_not_hang_the_reader():
    trace = of_instance([span("timer", 1, 2), span("timer", 2, 1)], "order")
    assert len(list(trace.walk())) <= 2


def test_a_span_that_was_sent_twice_is_there_once():
    twice = [span("orchestration||order", 1), span("orchestration||order", 1)]
    assert len(of_instance(twice, "order")) == 1


def test_a_file_is_read_as_far_as_it_is_written(tmp_path):
    file = tmp_path / "spans.jsonl"
    assert read(file) == []
    appending(file)([span("timer", 2), span("timer", 1)])
    with file.open("a") as out:
        out.write('{"torn": \n[]\n{"trace_id": "x"}\n{"trace_')
    assert [s.span_id for s in read(file)] == ["s1", "s2"]
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.fixture
def catcher():
    kept: list[Span] = []
    running = server(0, kept.extend)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    with httpx.Client(base_url=f"http://127.0.0.1:{running.server_port}", trust_env=False) as http:
        yield http, kept
    running.shutdown()
    running.server_close()


def test_the_catcher_keeps_both_forms_without_the_noise(catcher):
    http, kept = catcher
    sent = [ZIPKIN, {**ZIPKIN, "id": "01", "name": "/v1.0/metadata"}]
    assert http.post("/api/v2/spans", json=sent).status_code == 202
    assert http.post("/v1/traces", content=otlp()).status_code == 200
    assert [s.name for s in kept] == ["activity||send_email"] * 2


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/v2/spans", b"[", 400),
        ("/api/v2/spans", json.dumps({}).encode(), 400),
        ("/v1/traces", b"\xff\xff", 400),
        ("/elsewhere", b"[]", 404),
    ],
)
def test_the_catcher_refuses_what_is_in_no_form_that_it_knows(catcher, path, body, status):
    http, kept = catcher
    assert http.post(path, content=body).status_code == status
    assert kept == []
    assert http.post("/v1/traces", content=otlp()).status_code == 200, "and goes on"


def test_the_catcher_does_not_read_a_request_that_is_too_large(catcher):
    http, _ = catcher
    connection = HTTPConnection("127.0.0.1", http.base_url.port)
    connection.putrequest("POST", "/v1/traces")
    connection.putheader("Content-Length", str(MOST_BYTES + 1))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()
