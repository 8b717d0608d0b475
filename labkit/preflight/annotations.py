"""What the annotations of a pod say, as Dapr's injector and the sidecar read them.

Sources: dapr/dapr v1.18.1, ``pkg/injector/patcher/sidecar.go`` (which there are, and what is made
of their values), ``pkg/injector/patcher/sidecar_container.go`` (what becomes a flag of the sidecar)
and ``cmd/daprd/options/options.go`` (what the sidecar takes). Which values end a sidecar was
measured with run files, whose keys become the same flags (:mod:`labkit.runfile.keys`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from labkit.preflight.findings import Finding
from labkit.preflight.model import is_placeholder
from labkit.preflight.parts import Part
from labkit.runfile.keys import ALLOWED, SIZE

PREFIX = "dapr.io/"
WORDS = {"log-level": ALLOWED["logLevel"], "app-protocol": ALLOWED["appProtocol"]}
"""With another word the sidecar ends as it starts; capital letters are taken."""
SIZES = ("max-body-size", "read-buffer-size")
DURATIONS = ("block-shutdown-duration", "actors-disseminate-timeout")
RESOURCES = (
    *("sidecar-cpu-limit", "sidecar-cpu-request"),
    *("sidecar-memory-limit", "sidecar-memory-request"),
)
NUMBERS = (
    *("app-port", "metrics-port", "debug-port", "grpc-port", "internal-grpc-port"),
    *("app-max-concurrency", "http-max-request-size", "http-read-buffer-size"),
    *("app-health-probe-interval", "app-health-probe-timeout", "app-health-threshold"),
    "graceful-shutdown-seconds",
    *("sidecar-liveness-probe-delay-seconds", "sidecar-liveness-probe-period-seconds"),
    *("sidecar-liveness-probe-threshold", "sidecar-liveness-probe-timeout-seconds"),
    *("sidecar-readiness-probe-delay-seconds", "sidecar-readiness-probe-period-seconds"),
    *("sidecar-readiness-probe-threshold", "sidecar-readiness-probe-timeout-seconds"),
)
"""An annotation of these that holds no whole number is left out by the injector."""
OTHERS = (
    *("enabled", "app-id", "config", "app-ssl", "env", "env-from-secret"),
    *("api-token-secret", "app-token-secret", "app-channel-address", "app-health-check-path"),
    *("enable-api-logging", "enable-app-health-check", "enable-debug", "enable-metrics"),
    *("enable-native-sidecar", "enable-profiling", "log-as-json", "metrics-enabled"),
    *("component-container", "inject-pluggable-components"),
    *("pluggable-components", "pluggable-components-sockets-folder"),
    *("disable-builtin-k8s-secret-store", "disable-init-endpoints"),
    *("placement-host-address", "scheduler-host-address", "sentry-request-jwt-audiences"),
    *("sidecar-image", "sidecar-injected", "sidecar-listen-addresses"),
    *("sidecar-seccomp-profile-type", "sidecar-svc-annotations"),
    *("unix-domain-socket-path", "volume-mounts", "volume-mounts-rw"),
)
KNOWN = frozenset((*WORDS, *SIZES, *DURATIONS, *RESOURCES, *NUMBERS, *OTHERS))
_WHOLE = re.compile(r"[+-]?[0-9]+")
_DURATION = re.compile(r"[+-]?(0|(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)")


def wrong_values(notes: Part, title: str) -> Iterator[Finding]:
    """Yield what is wrong with the annotations of a pod that gets a sidecar.

    Args:
        title: kind and name of what makes the pod.
    """
    for key, part in notes.keys:
        if key.startswith(PREFIX) and part.is_text and not is_placeholder(part.text):
            name = key.removeprefix(PREFIX)
            if name not in KNOWN:
                yield _unknown(key, name, part)
            elif part.text:
                yield from _wrong_value(key, name, part, title)


def _unknown(key: str, name: str, part: Part) -> Finding:
    near = difflib.get_close_matches(name, sorted(KNOWN), 1, 0.75)
    fix = f"did you mean {PREFIX}{near[0]}?" if near else ""
    why = f"Dapr 1.18 knows no annotation {key} of a pod; it does nothing"
    return Finding("sidecar", "note", part.where, why, fix)


def _wrong_value(key: str, name: str, part: Part, title: str) -> Iterator[Finding]:
    wanted = _wanted(name, part.text)
    if wanted:
        why = f"the sidecar of {title} ends as it starts: {key} is {part.text!r}, not {wanted}"
        yield Finding("sidecar", "broken", part.where, why, f"write {wanted}, or remove {key}")
    elif name in NUMBERS and not _WHOLE.fullmatch(part.text):
        why = f"{key} is {part.text!r}, no whole number: Dapr leaves the annotation out"
        yield Finding("sidecar", "note", part.where, why, "write a whole number, in quotes")
    elif name in RESOURCES and not SIZE.fullmatch(part.text):
        why = f"{key} is {part.text!r}, no quantity: Dapr leaves out all limits of the sidecar"
        yield Finding("sidecar", "note", part.where, why, "write a quantity, e.g. 500m or 256Mi")


def _wanted(name: str, text: str) -> str:
    """Return what the sidecar needs in place of a text; empty when it takes it."""
    if name in WORDS and text.lower() not in WORDS[name]:
        *first, last = WORDS[name]
        return f"{', '.join(first)} or {last}"
    if name in SIZES and not SIZE.fullmatch(text):
        return "a size such as 8Mi"
    if name in DURATIONS and not _DURATION.fullmatch(text):
        return "a duration such as 30s"
    return ""
