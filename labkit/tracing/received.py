"""What sidecars send, as spans: Zipkin's JSON, and OTLP in protobuf."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from labkit.tracing.spans import Span

NOISE = re.compile(
    r"/v1\.0/(metadata|healthz).*|/taskhubsidecarservice/(hello|getinstance|getworkitems)"
    r"|callactor/.*/labreadiness",
    re.IGNORECASE,
)
"""Calls that the lab, a client that waits and an idle worker repeat; none is of a workflow."""


def is_noise(span: Span) -> bool:
    """Whether a span is of a call that is repeated as long as a lab runs."""
    return NOISE.fullmatch(span.name) is not None


def from_zipkin(sent: Any) -> list[Span]:
    """Return the spans of a Zipkin v2 list.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(sent, list):
        raise ValueError("a list of spans is due")
    try:
        return [_zipkin(one) for one in sent]
    except (AttributeError, KeyError, TypeError, ValueError) as problem:
        raise ValueError(f"not a span: {problem!r}") from problem


def _zipkin(one: Mapping[str, Any]) -> Span:
    tags = {str(k): str(v) for k, v in (one.get("tags") or {}).items()}
    return Span(
        trace_id=str(one["traceId"]).rjust(32, "0"),
        span_id=str(one["id"]),
        parent_id=str(one.get("parentId") or ""),
        service=str((one.get("localEndpoint") or {}).get("serviceName") or ""),
        name=str(one.get("name") or ""),
        start=float(one.get("timestamp") or 0) / 1e6,
        seconds=float(one.get("duration") or 0) / 1e6,
        tags=tags,
        failed="error" in tags,
    )


def from_otlp(sent: bytes) -> list[Span]:
    """Return the spans of an OTLP export request.

    Raises:
        ValueError: it is none.
    """
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    try:
        request = ExportTraceServiceRequest.FromString(sent)
    except DecodeError as problem:
        raise ValueError(f"not an OTLP request: {problem}") from problem
    return [
        _otlp(one, _tags(resource.resource.attributes).get("service.name", ""))
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for one in scope.spans
    ]


def _otlp(one: Any, service: str) -> Span:
    return Span(
        trace_id=one.trace_id.hex(),
        span_id=one.span_id.hex(),
        parent_id=one.parent_span_id.hex(),
        service=service,
        name=one.name,
        start=one.start_time_unix_nano / 1e9,
        seconds=(one.end_time_unix_nano - one.start_time_unix_nano) / 1e9,
        tags=_tags(one.attributes),
        failed=one.status.code == one.status.STATUS_CODE_ERROR,
    )


def _tags(attributes: Iterable[Any]) -> dict[str, str]:
    return {a.key: str(getattr(a.value, a.value.WhichOneof("value") or "", "")) for a in attributes}
