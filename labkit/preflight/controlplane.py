"""Apps of one namespace that are told to ask different placements or schedulers."""

from __future__ import annotations

from collections.abc import Iterator

from labkit.preflight.findings import Finding
from labkit.preflight.model import App, Manifests
from labkit.preflight.parts import Part

DEFAULTS = {
    "placement": "dapr-placement-server.dapr-system.svc.cluster.local:50005",
    "scheduler": "dapr-scheduler-server-a.dapr-system.svc.cluster.local:443",
}
"""What the injector sets where no annotation does (dapr/dapr v1.18.1,
pkg/injector/service/pod_patch.go:91, pkg/injector/patcher/sidecar_container.go:198)."""


def addresses(read: Manifests) -> Iterator[Finding]:
    """Say where apps of one namespace have different addresses; both may lead to one server."""
    first: dict[tuple[str, str], App] = {}
    for app in (a for a in read.apps if a.is_in_cluster):
        for what in DEFAULTS:
            other = first.setdefault((app.namespace, what), app)
            if _address(other, what) != _address(app, what):
                yield _differ(what, other, app)


def _differ(what: str, first: App, second: App) -> Finding:
    given = next(p for p in (_given(second, what), _given(first, what)) if p)
    why = (
        f"{first.app_id} asks the {what} at {_address(first, what)}, {second.app_id} at "
        f"{_address(second, what)}; unless that is the same, no call between them arrives"
    )
    return Finding("sidecar", "cannot be known", given.where, why, f"give both the same {what}")


def _address(app: App, what: str) -> str:
    given = _given(app, what)
    return given.text.strip("\"'").strip() if given else DEFAULTS[what]


def _given(app: App, what: str) -> Part | None:
    return app.placement if what == "placement" else app.scheduler
