"""Workflow history as small typed records, read from the sidecar of each app.

:mod:`labkit.history.wire` and ``sidecar`` are the only modules, with :mod:`labkit.turns`,
``replay`` and ``inprocess``, that touch the SDK's private protobuf stubs.
"""

from labkit.history.events import Failure, HistoryEvent, WrongRecording, from_json, to_json
from labkit.history.joined import Missing, RunHistory, Step, answered_waits, join
from labkit.history.kinds import ENDED, KINDS, STATUSES, UNDER_WAY, status_of
from labkit.history.sidecar import (
    SidecarUnreachable,
    TokenRefused,
    UnknownInstance,
    events_of,
    finds_workflows,
    instance_ids_of,
)
from labkit.history.stillness import standstill
from labkit.history.streams import Cut, connections, cuts, next_after
from labkit.history.wire import NOT_KEPT, CannotBeShown, event_of, failure_of, records

__all__ = [
    "ENDED",
    "KINDS",
    "NOT_KEPT",
    "STATUSES",
    "UNDER_WAY",
    "CannotBeShown",
    "Cut",
    "Failure",
    "HistoryEvent",
    "Missing",
    "RunHistory",
    "SidecarUnreachable",
    "Step",
    "TokenRefused",
    "UnknownInstance",
    "WrongRecording",
    "answered_waits",
    "connections",
    "cuts",
    "event_of",
    "events_of",
    "failure_of",
    "finds_workflows",
    "from_json",
    "instance_ids_of",
    "join",
    "next_after",
    "records",
    "standstill",
    "status_of",
    "to_json",
]
