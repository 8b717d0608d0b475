"""Two of the three requirements: one namespace, and an actor state store where workflows live."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from labkit.preflight.findings import Finding, State
from labkit.preflight.model import KUBERNETES, App, Document, Manifests
from labkit.preflight.owners import Code, Link, links


def namespaces(read: Manifests, code: Code) -> Iterator[Finding]:
    """Say for each group of apps that call each other whether it is in one namespace."""
    if not read.apps:
        yield Finding("namespace", "cannot be known", "-", "no app with a Dapr app ID was found")
    known = links(read.apps, code)
    for deployment in dict.fromkeys(a.deployment for a in read.apps):
        apps = [a for a in read.apps if a.deployment == deployment]
        mine = [link for link in known if link.caller.deployment == deployment]
        for group in _groups(apps, mine):
            yield from _one_namespace(group, _home(group, mine))


def _groups(apps: list[App], known: Sequence[Link]) -> list[list[App]]:
    """Apps that are linked, also over others; without any link all of them."""
    groups: list[set[App]] = []
    for link in known:
        met = [g for g in groups if link.caller in g or link.target in g]
        groups = [g for g in groups if g not in met]
        groups.append({link.caller, link.target}.union(*met))
    return [[a for a in apps if a in g] for g in groups] or [apps]


def _home(group: list[App], known: Sequence[Link]) -> App:
    """The app that calls and is not called, else one that calls, else the first."""
    callers = [a for a in group if any(k.caller == a != k.target for k in known)]
    called = {k.target for k in known if k.target != k.caller}
    return next((a for a in callers if a not in called), (callers or group)[0])


def _one_namespace(group: list[App], home: App) -> Iterator[Finding]:
    there = {a.app_id for a in group if a.namespace == home.namespace}
    wrong = [a for a in group if a.app_id not in there]
    for app in wrong:
        why = (
            f"{app.app_id} is in namespace {app.namespace}, {home.app_id} in {home.namespace}; "
            "a workflow never leaves its namespace"
        )
        fix = app.set_namespace.replace("{}", home.namespace)
        yield Finding("namespace", "broken", app.namespace_at, why, fix)
    if not wrong:
        why = f"{len(group)} apps, all in {home.namespace}"
        yield Finding("namespace", "holds", home.namespace_at, why)


def stores(read: Manifests, code: Code) -> Iterator[Finding]:
    """Say for each app whether its sidecar finds exactly one actor state store, if it needs one."""
    for app in read.apps:
        near = [d for d in read.in_sight(app, "Component") if _type(d).startswith("state.")]
        seen = [d for d in near if d.is_actor_store and _may_see(app, d)]
        needs = _hosts_workflows(app, code)
        if len(seen) == 1:
            why = f"{app.app_id} sees {seen[0].name}"
            yield Finding("state store", "holds", seen[0].actor_row.where, why)
        elif seen:
            yield _too_many(app, seen)
        elif needs is False:
            is_called = any(call.app_id == app.app_id for _, call in code.calls)
            known = "is called for activities only" if is_called else "registers no workflow"
            why = f"{app.app_id} {known}, and needs none (seen on 1.18.1)"
            yield Finding("state store", "holds", app.where, why)
        else:
            yield _no_store(app, near, bool(needs))


def _hosts_workflows(app: App, code: Code) -> bool | None:
    """From its own source; else from how it is called; None when neither says it."""
    own = code.of.get(app) if app not in code.shared else None
    calls = [call for _, call in code.calls]
    kinds = {c.kind for c in calls if c.app_id == app.app_id}
    registers = {r.kind for r in own.registrations} if own else set()
    if "call_child_workflow" in kinds or "workflow" in registers:
        return True
    if own and own.is_worker and own.is_complete:
        return False
    return False if kinds and all(c.app_id for c in calls) else None


def _too_many(app: App, seen: list[Document]) -> Finding:
    names, at = ", ".join(d.name for d in seen), seen[1].actor_row.where
    why = f"{app.app_id} sees {len(seen)} actor state stores ({names}); its sidecar ends"
    fix = f'set actorStateStore to "false" in {at}, or hide it with scopes'
    return Finding("state store", "broken", at, why, fix)


def _no_store(app: App, near: list[Document], is_needed: bool) -> Finding:
    here = [d for d in near if d.is_in(app.namespace)]
    hidden = next((d for d in here if d.is_actor_store), None)
    if hidden:
        at = hidden.body.get("scopes").where
        why = f"{hidden.name} is hidden from {app.app_id} by scopes"
        return Finding("state store", "broken", at, why, f"add {app.app_id} to scopes in {at}")
    if here:
        row = here[0].actor_row
        why = (
            f"{app.app_id} has no actor state store; {here[0].name} is none. "
            "An app that hosts workflows needs one"
        )
        verb = (
            'set actorStateStore: "true"' if row else 'add actorStateStore: "true" to the metadata'
        )
        return Finding("state store", "broken", row.where, why, f"{verb} in {row.where}")
    if near:
        why = f"{app.app_id} is in {app.namespace}, the state stores are in other namespaces"
        fix = f'add a state store with actorStateStore "true" to namespace {app.namespace}'
        return Finding("state store", "broken", near[0].namespace.where, why, fix)
    return _none_at_all(app, is_needed)


def _none_at_all(app: App, is_needed: bool) -> Finding:
    if app.deployment == KUBERNETES:
        why = f"no state store for {app.app_id} is in these files"
        fix = "name the folder of its components, too"
        return Finding("state store", "cannot be known", app.where, why, fix)
    if not app.resources_at:
        why = f"no folder of components is named for {app.app_id}; dapr run takes the user's own"
        fix = f"name one with resourcesPath in {app.where}"
        return Finding("state store", "cannot be known", app.where, why, fix)
    why = f"no state store is in the folders of {app.app_id}"
    fix = 'add a state store with actorStateStore "true" to a folder named there'
    state: State = "broken" if is_needed else "cannot be known"
    return Finding("state store", state, app.resources_at, why, fix)


def _type(component: Document) -> str:
    return component.body.get("spec", "type").text


def _may_see(app: App, component: Document) -> bool:
    scopes = [item.text for item in component.body.get("scopes").items]
    return component.is_in(app.namespace) and (not scopes or app.app_id in scopes)
