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
from labkit.history.streams import Cut, connections, cuts, next_after

__all__ = [
    "Cut",
    "Failure",
    "HistoryEvent",
    "Missing",
    "RunHistory",
    "SidecarUnreachable",
    "Step",
    "TokenRefused",
    "UnknownInstance",
    "connections",
    "cuts",
    "events_of",
    "finds_workflows",
    "from_json",
    "instance_ids_of",
    "join",
    "next_after",
    "to_json",
]
