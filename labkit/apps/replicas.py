"""Replicas: several sidecars, each with a service of its own, under one app ID.

Placement hands each workflow and each activity of the app ID to one of them. Whoever asks about the
app asks any replica that runs: they keep their state in the same store. This module says which
replicas a run file becomes, and when an app as a whole is not there; it starts nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from labkit.apps.app import App, Down
from labkit.errors import DeploymentError
from labkit.processes.lives import Trouble
from labkit.runfile import AppSpec, app_id_of

AnyApp = TypeVar("AnyApp", bound=App)
NAMED_PLACES = {
    *("appPort", "daprHTTPPort", "daprGRPCPort", "daprInternalGRPCPort", "metricsPort"),
    *("profilePort", "unixDomainSocket"),
}
"""Keys of a run file that name a port or a socket, which only one sidecar can have."""


class WrongReplicas(DeploymentError):
    """What was asked for is no number of replicas of an app of the run file."""

    code = "wrong-replicas"


def require(apps: Iterable[AppSpec], counts: Mapping[str, int]) -> None:
    """Raise WrongReplicas for an app ID that does not exist, or a number below 1."""
    known = {a.app_id for a in apps}
    for app_id, count in counts.items():
        if app_id in known and type(count) is int and count > 0:
            continue
        raise WrongReplicas(
            f"{app_id!r} cannot have {count!r} replicas",
            asked=f"replicas={dict(counts)!r}",
            found=f"app IDs: {', '.join(sorted(known))}; a number of replicas starts at 1",
            look_at="the call of Lab(run_file, replicas={APP_ID: NUMBER})",
            fix="name an app ID of the run file, and a whole number from 1",
        )


def spread(spec: AppSpec, count: int | None, own: Mapping[str, Mapping[str, str]]) -> list[AppSpec]:
    """Return what an app of a run file becomes: itself, or its replicas, numbered from 1.

    The first replica keeps the ports that the run file names.

    Args:
        count: how many replicas; None for an app that has none.
        own: environment variables by ``APP_ID#N``.
    """
    if count is None:
        return [spec]
    found = [replace(spec, replica=n) for n in range(1, count + 1)]
    found[1:] = [without_places(s) for s in found[1:]]
    return [replace(s, env={**s.env, **own.get(s.name, {})}) for s in found]


def without_places(spec: AppSpec) -> AppSpec:
    """Return an app without the ports and sockets that its run file names."""
    kept = {k: v for k, v in spec.settings.items() if k not in NAMED_PLACES}
    return replace(spec, settings=kept)


def chosen(name: str, apps: Iterable[AnyApp]) -> AnyApp | None:
    """Return the replica that answers for an app: the first whose sidecar runs, or the first."""
    own = [a for a in apps if name in (a.name, a.app_id)]
    return next((a for a in own if _answers(a)), own[0] if own else None)


def _answers(app: App) -> bool:
    sidecar = app.process("sidecar")
    return sidecar is not None and sidecar.is_alive


def all_gone(troubles: Iterable[Trouble], apps: Iterable[App]) -> set[str]:
    """Return the names in these records, and each app ID whose replicas are all among them."""
    names = {t.name for t in troubles}
    alive = {a.app_id for a in apps if a.name not in names}
    return names | {app_id_of(n) for n in names} - alive


def downs(apps: Iterable[App], since: float) -> list[Down]:
    """Return the times in which no replica of an app could work, after ``since``."""
    groups: dict[str, list[App]] = {}
    for app in apps:
        groups.setdefault(app.app_id, []).append(app)
    return [d for own in groups.values() for d in common([a.downs(since) for a in own])]


def common(each: Sequence[Sequence[Down]]) -> list[Down]:
    """Return the times that every one of these lists has; ``part`` is "app" where they differ."""
    found = list(each[0])
    for others in each[1:]:
        found = [both for a in found for b in others if (both := _both(a, b))]
    return found


def _both(one: Down, other: Down) -> Down | None:
    start = max(one.start, other.start)
    ends = [e for e in (one.end, other.end) if e is not None]
    end = min(ends) if ends else None
    if end is not None and end <= start:
        return None
    return Down(one.app_id, one.part if one.part == other.part else "app", start, end)
