"""Who calls whom, app by app and namespace by namespace, as far as texts say so.

Of a source that was named nobody says which app runs it. So each app that nobody calls may be the
caller, and a verdict is sure only where it is the same for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from labkit.preflight.model import App
from labkit.preflight.module import Call
from labkit.preflight.owners import Code


@dataclass(frozen=True)
class Link:
    """One app calls another.

    Attributes:
        doubt: why it may not hold for another app that may be the caller; "" for no doubt.
        is_sure: no other app may be the caller.
    """

    caller: App
    target: App
    doubt: str = ""
    is_sure: bool = True


@dataclass(frozen=True)
class Missing:
    """An app calls another that is in other namespaces only, beside copies of the caller."""

    caller: App
    targets: tuple[App, ...]


@dataclass
class Links:
    """All links of the apps that were read."""

    found: list[Link] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)


def links(apps: Sequence[App], code: Code) -> Links:
    """Return who calls whom; apps of two deployments never meet."""
    result = Links()
    for deployment in dict.fromkeys(a.deployment for a in apps):
        _of_deployment([a for a in apps if a.deployment == deployment], code, result)
    result.found = list(dict.fromkeys(result.found))
    result.missing = list(dict.fromkeys(result.missing))
    return result


def callers(call: Call, caller: App | None, apps: Sequence[App], code: Code) -> list[App]:
    """Return the apps of one deployment that may make a call: that one, or all that might."""
    if caller is not None:
        return [caller] if caller in apps else []
    others = [a for a in apps if a.app_id != call.app_id]
    first = [a for a in others if a.app_id not in code.called]
    return first or others or list(apps)


def _of_deployment(apps: list[App], code: Code, result: Links) -> None:
    by_id: dict[str, list[App]] = {}
    for app in apps:
        by_id.setdefault(app.app_id, []).append(app)
    known = {(caller, call.app_id): (caller, call) for caller, call in code.calls}
    for caller, call in known.values():
        targets = by_id.get(call.app_id or "", [])
        possible = callers(call, caller, apps, code) if targets else []
        if possible:
            _link(_by_id(possible), targets, result)


def _by_id(apps: Iterable[App]) -> list[list[App]]:
    found: dict[str, list[App]] = {}
    for app in apps:
        found.setdefault(app.app_id, []).append(app)
    return list(found.values())


def _link(possible: list[list[App]], targets: list[App], result: Links) -> None:
    """Link one caller, with its copies: one for which the call works, if there is any."""
    works = [copies for copies in possible if all(_met(c, targets) for c in copies)]
    chosen = (works or possible)[0]
    doubt = ""
    if works and len(works) < len(possible):
        other = next(copies[0] for copies in possible if copies not in works)
        doubt = (
            f"no file says whether {chosen[0].app_id} calls {targets[0].app_id}, or "
            f"{other.app_id} in {other.namespace}"
        )
    is_sure = len(possible) == 1
    met = {copy: _met(copy, targets) for copy in chosen}
    for copy, target in met.items():
        if target:
            result.found.append(Link(copy, target, doubt, is_sure))
        elif any(met.values()):
            result.missing.append(Missing(copy, tuple(targets)))
        else:
            result.found.append(Link(copy, targets[0], doubt, is_sure))


def _met(caller: App, targets: Sequence[App]) -> App | None:
    """The target in the caller's namespace, else one that may be in it."""
    sure = next((t for t in targets if caller.meets(t)), None)
    return sure or next((t for t in targets if caller.meets(t) is None), None)
