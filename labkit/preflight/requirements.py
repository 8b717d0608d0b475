"""Two of the three requirements: one namespace, and an actor state store where workflows live.

Each namespace is a deployment of its own: where an app ID is in several, each is judged apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from labkit.preflight.findings import Finding, State
from labkit.preflight.links import Link, Links, Missing
from labkit.preflight.model import App, Document, Manifests, is_in_namespace
from labkit.preflight.owners import Code

UNSUITED = {
    *("aerospike", "alicloud.tablestore", "azure.blobstorage", "azure.tablestorage", "cassandra"),
    *("cloudflare.workerskv", "coherence", "consul", "couchbase", "gcp.firestore"),
    *("hashicorp.consul", "hazelcast", "jetstream", "memcached", "oci.objectstorage"),
    *("rethinkdb", "zookeeper"),
}
"""State stores without transactions or without ETags, which actors need both
(dapr/components-contrib v1.18.0, the features of each store; dapr/dapr v1.18.1,
pkg/actors/state/state.go:264)."""
SUITED = {
    *("aws.dynamodb", "azure.cosmosdb", "cockroachdb", "etcd", "in-memory", "mongodb", "mysql"),
    *("oracledatabase", "postgres", "postgresql", "ravendb", "redis", "sqlite", "sqlite3"),
    *("sqlserver", "yugabyte", "yugabytedb"),
}
VERSIONS = {
    **dict.fromkeys(("cockroachdb", "etcd", "postgres", "postgresql", "sqlserver"), ("v1", "v2")),
    **dict.fromkeys(("yugabyte", "yugabytedb"), ("v2",)),
}
ONE_VERSION = ("v1", "v0")
"""The versions that daprd 1.18.1 registers (cmd/daprd/components/state_*.go); none given fits
all, and of another one it says "couldn't find state store" and ends."""
STATE = "state."
USE = "use e.g. state.redis or state.postgresql"


# --- one namespace --------------------------------------------------------------------------------


def namespaces(read: Manifests, known: Links) -> Iterator[Finding]:
    """Say for each group of apps that call each other whether it is in one namespace."""
    if not read.apps:
        yield Finding("namespace", "cannot be known", "-", "no app with a Dapr app ID was found")
    for deployment in dict.fromkeys(a.deployment for a in read.apps):
        apps = [a for a in read.apps if a.deployment == deployment]
        mine = [link for link in known.found if link.caller.deployment == deployment]
        lost = [one for one in known.missing if one.caller.deployment == deployment]
        if not (mine or lost):
            yield from _without_calls(apps)
        for group in _groups(apps, mine):
            yield from _one_namespace(group, _home(group, mine), mine)
        yield from (_missing(one) for one in lost)


def _without_calls(apps: list[App]) -> Iterator[Finding]:
    """No source says who calls whom, so all apps of a namespace may belong together."""
    spaces: dict[str, list[App]] = {}
    for app in apps:
        spaces.setdefault(app.namespace, []).append(app)
    is_one_each = all(_count(found) == 1 for found in spaces.values())
    if _count(apps) < sum(_count(found) for found in spaces.values()):
        for found in spaces.values():
            yield from _one_namespace(found, found[0], [])
    elif len(spaces) == 1 or is_one_each:
        yield from _one_namespace(apps, apps[0], [])
    else:
        texts = [f"{', '.join(_ids(found))} in {name}" for name, found in spaces.items()]
        other = next(a for a in apps if a.namespace != apps[0].namespace)
        why = f"{'; '.join(texts)}: a workflow never leaves its namespace"
        fix = "name the sources with --source; they say who calls whom"
        yield Finding("namespace", "cannot be known", other.namespace_at, why, fix)


def _ids(apps: Sequence[App]) -> list[str]:
    return list(dict.fromkeys(a.app_id for a in apps))


def _count(apps: Sequence[App]) -> int:
    return len(_ids(apps))


def _groups(apps: list[App], known: Sequence[Link]) -> list[list[App]]:
    """Apps that are linked, also over others."""
    group_of: dict[App, set[App]] = {}
    for link in known:
        one = group_of.get(link.caller, {link.caller})
        other = group_of.get(link.target, {link.target})
        joined = one | other if one is not other else one
        group_of |= dict.fromkeys(joined, joined)
    order = dict.fromkeys(id(group_of[a]) for a in apps if a in group_of)
    return [[a for a in apps if id(group_of.get(a)) == key] for key in order]


def _home(group: list[App], known: Sequence[Link]) -> App:
    """The app that calls and is not called, else one that calls, else the first."""
    inside = set(group)
    mine = [k for k in known if k.caller in inside and k.caller != k.target]
    called = {k.target for k in mine}
    callers = [a for a in group if any(k.caller == a for k in mine)]
    return next((a for a in callers if a not in called), (callers or group)[0])


def _one_namespace(group: list[App], home: App, known: Sequence[Link]) -> Iterator[Finding]:
    there = {a.app_id for a in group if a.meets(home)}
    wrong = [a for a in group if a.app_id not in there]
    yield from (_apart(app, home) for app in wrong)
    if wrong:
        return
    inside = set(group)
    doubt = next((k.doubt for k in known if k.doubt and k.caller in inside), "")
    count = _count(group)
    why = f"{count} apps, all in {home.namespace}" if count > 1 else f"1 app, in {home.namespace}"
    state: State = "cannot be known" if doubt else "holds"
    yield Finding("namespace", state, home.namespace_at, f"{why}; {doubt}" if doubt else why)


def _apart(app: App, home: App) -> Finding:
    open_one, other = (app, home) if app.is_open else (home, app)
    if app.meets(home) is None:
        why = f"{open_one.app_id} names no namespace, {other.app_id} is in {other.namespace}; a "
        why += "workflow never leaves its namespace"
        fix = open_one.set_namespace.replace("{}", other.namespace)
        return Finding("namespace", "cannot be known", open_one.namespace_at, why, fix)
    why = (
        f"{app.app_id} is in namespace {app.namespace}, {home.app_id} in {home.namespace}; "
        "a workflow never leaves its namespace"
    )
    fix = app.set_namespace.replace("{}", home.namespace)
    return Finding("namespace", "broken", app.namespace_at, why, fix)


def _missing(one: Missing) -> Finding:
    caller, name = one.caller, one.targets[0].app_id
    others = ", ".join(dict.fromkeys(t.namespace for t in one.targets))
    why = (
        f"{caller.app_id} in {caller.namespace} calls {name}, which is in {others} only; a "
        "workflow never leaves its namespace"
    )
    fix = f"deploy {name} to {caller.namespace}, too"
    return Finding("namespace", "broken", caller.where, why, fix)


# --- an actor state store -------------------------------------------------------------------------


@dataclass(frozen=True)
class _Sight:
    """An app with what it may keep workflows in.

    Attributes:
        title: the app, with its namespace where there are several.
        near: the state stores of its folders or cluster.
        seen: those of them that its sidecar reads and that call themselves an actor store.
        needs: whether it hosts workflows; None where no text says it.
        denied: the actor store that its Configuration keeps from it.
    """

    app: App
    title: str
    near: list[Document]
    seen: list[Document]
    needs: bool | None
    denied: Document | None = None


def stores(read: Manifests, code: Code, known: Links) -> Iterator[Finding]:
    """Say for each app whether its sidecar finds exactly one actor state store, if it needs one."""
    apps = {(a.deployment, a.namespace, a.app_id, a.resources): a for a in reversed(read.apps)}
    callers = {k.caller for k in known.found if k.is_sure} | {m.caller for m in known.missing}
    sights = [_sight(app, read, code, app in callers) for app in reversed(apps.values())]
    # Where a store is, or who needs it is known, an app that no text tells of may need none.
    served = {(s.app.deployment, s.app.namespace) for s in sights if len(s.seen) == 1 or s.needs}
    for sight in sights:
        finding = _store(sight, code)
        is_apart = (sight.app.deployment, sight.app.namespace) not in served
        if finding.state == "broken" and not (sight.seen or sight.needs or is_apart):
            why = f"{finding.why}; no text says whether {sight.app.app_id} hosts any"
            finding = replace(finding, state="cannot be known", why=why)
        yield finding
    if not read.apps:
        yield from _alone(read)


def _alone(read: Manifests) -> Iterator[Finding]:
    """Components without any app that sees them."""
    for store in (d for d in read.documents if d.kind == "Component" and d.is_actor_store):
        if store.type.lower().removeprefix(STATE) in UNSUITED and id(store) not in read.refused:
            why = f"{store.name}: {store.type} cannot hold workflows, it has no transactions"
            yield Finding("state store", "broken", store.body.get("spec", "type").where, why, USE)


def _sight(app: App, read: Manifests, code: Code, calls: bool) -> _Sight:
    in_sight = [d for d in read.in_sight(app, "Component") if d.type.startswith(STATE)]
    if app.is_in_cluster:  # one name is one object there, whose namespace may not be said each time
        by_name = {d.name: d for d in sorted(in_sight, key=lambda d: bool(d.namespace.text))}
        in_sight = [d for d in in_sight if d is by_name[d.name]]
    seen = [d for d in in_sight if d.is_actor_store is not False]
    near = seen or [d for d in read.near(app, "Component") if d.type.startswith(STATE)]
    denied = _denied(read.configuration_of(app))
    allowed = [d for d in seen if not _is_denied(d, denied)]
    shut = next((d for d in seen if d not in allowed), None) if not allowed else None
    needs = calls or _hosts_workflows(app, code)  # only a workflow can call
    return _Sight(app, read.title(app), near, allowed, needs, shut)


def _denied(configurations: Sequence[Document]) -> set[str]:
    """Types that a Configuration lets no sidecar load (pkg/runtime/authorizer/component.go:56)."""
    lists = [d.body.get("spec", "components", "deny").items for d in configurations]
    return {item.text for items in lists for item in items}


def _is_denied(component: Document, denied: set[str]) -> bool:
    version = component.body.get("spec", "version").text
    return bool(denied & {component.type, f"{component.type}/{version}"})


def _hosts_workflows(app: App, code: Code) -> bool | None:
    """From its own source; else from how it is called; None when neither says it."""
    own = code.of.get(app) if app not in code.shared else None
    kinds = code.called.get(app.app_id, set())
    registers = {r.kind for r in own.registrations} if own else set()
    if "call_child_workflow" in kinds or "workflow" in registers:
        return True
    if own and own.is_worker and own.is_complete:
        return False
    return False if kinds and None not in code.called else None


def _store(sight: _Sight, code: Code) -> Finding:
    sure = [d for d in sight.seen if d.is_actor_store]
    if len(sure) > 1:
        return _too_many(sight, sure)
    if sight.seen and not (len(sure) == len(sight.seen) == 1):
        return _elsewhere(sight)
    if sure:
        return _one_store(sight, sure[0])
    if sight.denied and sight.needs is not False:
        return _kept_away(sight, sight.denied)
    if sight.needs is False:
        is_called = sight.app.app_id in code.called
        known = "is called for activities only" if is_called else "registers no workflow"
        why = f"{sight.title} {known}, and needs none (seen on 1.18.1)"
        return Finding("state store", "holds", sight.app.where, why)
    return _no_store(sight)


def _one_store(sight: _Sight, store: Document) -> Finding:
    at, kind = store.body.get("spec", "type").where, store.type.removeprefix(STATE).lower()
    if kind in UNSUITED:
        why = (
            f"{sight.title} sees {store.name}, and {store.type} cannot hold workflows: it has no "
            "transactions. The sidecar ends at the first workflow (seen on 1.18.1)"
        )
        state: State = "cannot be known" if sight.needs is False else "broken"
        return Finding("state store", state, at, why, USE)
    known, version = VERSIONS.get(kind, ONE_VERSION), store.body.get("spec", "version")
    if kind in SUITED and version.text and version.text.lower() not in known:
        why = f"{sight.title} sees {store.name}, and Dapr has no {store.type} of version "
        why += f"{version.text}; the sidecar ends"
        return Finding("state store", "broken", version.where, why, f"write version: {known[0]}")
    if kind not in SUITED:
        why = f"{sight.title} sees {store.name}; whether {store.type} has transactions is not known"
        return Finding("state store", "cannot be known", at, why)
    why = f"{sight.title} sees {store.name}"
    if sight.app.is_in_cluster and not store.namespace.text and sight.app.namespace != "default":
        why += f", where it is applied with -n {sight.app.namespace}: it names no namespace"
        fix = f"add namespace: {sight.app.namespace} to its metadata"
        return Finding("state store", "cannot be known", store.actor_row.where, why, fix)
    return Finding("state store", "holds", store.actor_row.where, why)


def _elsewhere(sight: _Sight) -> Finding:
    store = next(d for d in sight.seen if d.is_actor_store is None)
    why = f"whether {store.name} is an actor state store for {sight.title} stands in a secret"
    fix = f'write value: "true" in {store.actor_row.where}'
    return Finding("state store", "cannot be known", store.actor_row.where, why, fix)


def _kept_away(sight: _Sight, store: Document) -> Finding:
    why = f"the Configuration of {sight.title} denies {store.type}, so it does not see {store.name}"
    fix = f"remove {store.type} from spec.components.deny"
    return Finding("state store", "broken", sight.app.config_at, why, fix)


def _too_many(sight: _Sight, seen: list[Document]) -> Finding:
    names, at = ", ".join(d.name for d in seen), seen[1].actor_row.where
    why = f"{sight.title} sees {len(seen)} actor state stores ({names}); its sidecar ends"
    fix = f'set actorStateStore to "false" in {at}, or hide it with scopes'
    folders = {Path(d.real).parent for d in seen}
    if not (sight.app.is_in_cluster and len(folders) == len(seen)):
        return Finding("state store", "broken", at, why, fix)
    # Each in a folder of its own: they may be for one environment each.
    why += f", unless only one of these {len(folders)} folders is applied"
    fix = "name only the folders that are applied together"
    return Finding("state store", "cannot be known", at, why, fix)


def _no_store(sight: _Sight) -> Finding:
    app = sight.app
    here = [d for d in sight.near if is_in_namespace(app, d)]
    hidden = next((d for d in here if d.is_actor_store), None)
    if hidden:
        at = hidden.body.get("scopes").where
        why = f"{hidden.name} is hidden from {sight.title} by scopes"
        return Finding("state store", "broken", at, why, f"add {app.app_id} to scopes in {at}")
    if here:
        return _no_actor_store(sight, here[0])
    if sight.near:
        why = f"{app.app_id} is in {app.namespace}, the state stores are in other namespaces"
        fix = f'add a state store with actorStateStore "true" to namespace {app.namespace}'
        state: State = "cannot be known" if app.is_open else "broken"
        return Finding("state store", state, sight.near[0].namespace.where, why, fix)
    return _none_at_all(sight)


def _no_actor_store(sight: _Sight, store: Document) -> Finding:
    row = store.actor_row
    why = (
        f"{sight.title} has no actor state store: "
        f'{store.name} does not set actorStateStore to "true". '
        "An app that hosts workflows needs one"
    )
    verb = 'set actorStateStore: "true"' if row else 'add actorStateStore: "true" to the metadata'
    return Finding("state store", "broken", row.where, why, f"{verb} in {row.where}")


def _none_at_all(sight: _Sight) -> Finding:
    app = sight.app
    if app.is_in_cluster:
        why = f"no state store for {sight.title} is in these files"
        fix = "name the folder of its components, too"
        return Finding("state store", "cannot be known", app.where, why, fix)
    if not app.resources_at:
        why = f"no folder of components is named for {app.app_id}; dapr run takes the user's own"
        fix = f"name one with resourcesPath in {app.where}"
        return Finding("state store", "cannot be known", app.where, why, fix)
    why = f"no state store is in the folders of {app.app_id}. An app that hosts workflows needs one"
    fix = 'add a state store with actorStateStore "true" to a folder named there'
    return Finding("state store", "broken", app.resources_at, why, fix)
