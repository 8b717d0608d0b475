"""Workflow history as small typed records, read from the sidecar of each app.

The only package, with :mod:`labkit.inprocess`, that touches the SDK's private protobuf stubs.
"""

from labkit.history.events import Failure, HistoryEvent, from_json, to_json
from labkit.history.joined import Missing, RunHistory, Step, join
from labkit.history.sidecar import (
    SidecarUnreachable,
    TokenRefused,
    UnknownInstance,
    events_of,
    finds_workflows,
    instance_ids_of,
)

__all__ = [
    "Failure",
    "HistoryEvent",
    "Missing",
    "RunHistory",
    "SidecarUnreachable",
    "Step",
    "TokenRefused",
    "UnknownInstance",
    "events_of",
    "finds_workflows",
    "from_json",
    "instance_ids_of",
    "join",
    "to_json",
]
