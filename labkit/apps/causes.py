"""Causes of an end that no line of the log names: what the surroundings of a part say about it.

A sidecar ends when a server that a component names does not run, and says so in a line too long
to read; it ends with a nil pointer when its actor state store cannot hold actors. A service that
speaks plain HTTP to its sidecar is refused, and ends with an error about the answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from labkit.infrastructure import components
from labkit.infrastructure.components import Component
from labkit.infrastructure.trust import ANCHORS, Trust
from labkit.processes.ports import is_listening

OUR_STORES = 'Lab(run_file, components="{}") uses the components of the course instead of these'
_LOCAL = r"(localhost|127\.0\.0\.1|\[::1\]|0\.0\.0\.0)"
_PLACE = re.compile(rf"(?:^|[/@=,;(\s]){_LOCAL}:(\d{{1,5}})\b")
_HOST, _PORT = re.compile(rf"\bhost={_LOCAL}(?=\s|$)"), re.compile(r"\bport=(\d{1,5})\b")
POSTGRES_PORT = 5432
WAITS = "Fetching initial identity"
_NIL = "panic: runtime error: invalid memory address or nil pointer dereference"
_STORE = re.compile(r"Using '([^']+)' as actor state store")
_REFUSED = re.compile(
    r'^(?:dapr_http_server_request_count\{.*status="401"'
    r'|dapr_grpc_io_server_completed_rpcs\{.*status="UNAUTHENTICATED").*\} (\d+)',
    re.MULTILINE,
)


@dataclass(frozen=True)
class Cause:
    """Why a part ended or does not work: what was found, the file that shows it, the fix."""

    found: str
    look_at: str
    fix: str


def of_sidecar(log: str, resources: Iterable[Path]) -> Cause | None:
    """Return why a sidecar has ended by itself; None when its own log says it best.

    Args:
        log: what this sidecar has written.
        resources: its folders of components.
    """
    known = list(components.read_with_files(resources))
    return _no_actors(log, known) or _nobody_listens(log, known)


def of_certificates(log: str, given: Mapping[str, str], own: Trust) -> Cause | None:
    """Return why a sidecar waits for ever in a lab with mTLS; None when it may still get ready.

    It says nothing of it: without a certificate that it can check it waits at "Fetching initial
    identity"; without mTLS of its own it is refused by placement and scheduler, and goes on trying
    (both measured on 1.18.1).

    Args:
        log: what the sidecar has written.
        given: its environment.
        own: the certificates of the lab.
    """
    if ANCHORS not in given:
        return _uncertified() if "error reading server preface: EOF" in log else None
    if not _lines(log)[-1:] or WAITS not in _lines(log)[-1]:
        return None
    if given[ANCHORS] == own.env().get(ANCHORS):
        return None
    return Cause(
        f"it waits for a certificate and believes none: its root certificate, in {ANCHORS}, is not"
        " the one that sentry signs with",
        str(own.anchors),
        f"take {ANCHORS} out of env in the run file: a lab gives each sidecar the right one",
    )


def _uncertified() -> Cause:
    return Cause(
        "it has no certificate, and placement and scheduler of this lab take nobody without one:"
        " its Configuration does not say spec.mtls.enabled: true, and that of another app does",
        "configFilePath in the run file",
        "let configFilePath name a Configuration with mTLS, for this app or in common; then make"
        " the lab again",
    )


def _lines(log: str) -> list[str]:
    return log.strip().splitlines()


def of_refusals(metrics: str) -> Cause | None:
    """Return how many requests a sidecar has refused for want of the token; None for none.

    Args:
        metrics: of the sidecar, in Prometheus' text format.
    """
    count = sum(int(n) for n in _REFUSED.findall(metrics))
    if not count:
        return None
    return Cause(
        f"its sidecar refused {count} request{'s' if count > 1 else ''} without its API token"
        " (401, invalid api token): in a lab every sidecar has one",
        "docs/loopback.md",
        "send the header dapr-api-token with the value of DAPR_API_TOKEN, which the service has in"
        " its environment; Dapr's own clients do so by themselves",
    )


def places(component: Component) -> list[tuple[str, int]]:
    """Return host and port of every server on this machine that a component names."""
    found = []
    for text in components.values(component):
        found += [(host, int(port)) for host, port in _PLACE.findall(text)]
        if host := _HOST.search(text):
            port = _PORT.search(text)
            found.append((host[1], int(port[1]) if port else POSTGRES_PORT))
    return list(dict.fromkeys(found))


def _nobody_listens(log: str, known: Sequence[tuple[Path, Component]]) -> Cause | None:
    """A place that the log does not complain of may be one of the lab's own services."""
    gone = [
        (f"{host}:{port}", component, file)
        for file, component in known
        for host, port in places(component)
        if "refused" in log and f":{port}" in log and not is_listening("127.0.0.1", port)
    ]
    if not gone:
        return None
    where = " and ".join(dict.fromkeys(place for place, _, _ in gone))
    names = " and ".join(dict.fromkeys(components.name(c) for _, c, _ in gone))
    sends = any(components.kind(c).startswith("pubsub.") for _, c in known)
    ours = OUR_STORES.format("redis" if sends else "default")
    return Cause(
        f"nothing listens at {where}, which the component {names} names",
        str(gone[0][2]),
        f"{ours}; or start a server at {where}",
    )


def _no_actors(log: str, known: Sequence[tuple[Path, Component]]) -> Cause | None:
    """The store was found at the start, and is no store of actors at the first question.

    pkg/actors/state/state.go:264 of v1.18.1 wants ETags and transactions; measured: the panic.
    """
    stores = _STORE.findall(log)
    if not stores or _NIL not in log:
        return None
    name, kind, file = stores[-1], "", "its component file"
    for path, component in known:
        if components.name(component) == name:
            kind, file = f" ({components.kind(component)})", str(path)
    return Cause(
        f"its actor state store {name}{kind} cannot hold actors: such a store needs transactions"
        " and ETags, and workflows need such a store",
        file,
        "use a store that has them, such as Redis, PostgreSQL or SQLite; "
        + OUR_STORES.format("default"),
    )
