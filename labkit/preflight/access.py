"""WorkflowAccessPolicy: which calls to other apps a policy lets through.

As the sidecar judges (dapr/dapr v1.18.1, pkg/acl/workflow/policy.go:104): one policy in sight of an
app makes it refuse every call that no rule allows; calls to itself are exempt. Who calls, it knows
from a certificate (pkg/api/grpc/workflow_acl.go:40), so without mTLS it refuses all calls from
outside (measured on 1.18.1). A cluster has mTLS unless its control plane switches it off; an app
of a run file has it where its Configuration says so.

It also refuses what is no operation of a rule, and the result of a child workflow is none
(pkg/acl/workflow/extract.go:131): a policy in sight of the caller leaves it RUNNING (measured).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from labkit.preflight.findings import Finding, State
from labkit.preflight.model import App, Document, Manifests
from labkit.preflight.module import Call
from labkit.preflight.owners import Code
from labkit.preflight.parts import Part

KIND = "WorkflowAccessPolicy"
LISTS = {"call_activity": "activities", "call_child_workflow": "workflows"}
SCHEDULE = "schedule"
NO_MTLS = "without mTLS a sidecar cannot tell who calls, and refuses every other app"


def policies(read: Manifests, code: Code) -> Iterator[Finding]:
    """Say of each call to another app whether the policies there let it through."""
    of = {app: read.in_sight(app, KIND) for app in read.apps}
    if not any(of.values()):
        return
    found, secure = list[Finding](), _with_mtls(read)
    for caller, call in code.calls:
        for target in (a for a in read.apps if a.app_id == call.app_id):
            near = [a for a in read.apps if _are_near(a, target)]
            others = [a for a in near if a.app_id != target.app_id]
            possible = others if caller is None else [a for a in others if a == caller]
            if possible and of[target]:
                found.append(_judged(call, target, possible, of[target], target in secure, read))
            if possible and call.kind == "call_child_workflow":
                found += _result(target, possible, of, read)
    yield from dict.fromkeys([*found, *_unasked(of, code, secure, read)])


def _are_near(app: App, target: App) -> bool:
    return app.deployment == target.deployment and app.meets(target) is not False


def _with_mtls(read: Manifests) -> set[App]:
    """Return the apps that know who calls them."""
    cluster = not _is_mtls_off(read)
    return {a for a in read.apps if (cluster if a.is_in_cluster else _asks_for_mtls(a, read))}


def _asks_for_mtls(app: App, read: Manifests) -> bool:
    """Whether the Configuration of an app of a run file asks for it, as the Dapr CLI reads it."""
    said = (d.body.get("spec", "mtls", "enabled").text for d in read.configuration_of(app))
    return any(text.lower() in ("true", "yes", "on", "y") for text in said)


def _is_mtls_off(read: Manifests) -> bool:
    """Whether the control plane's own Configuration switches mTLS off."""
    off = (d.body.get("spec", "mtls", "enabled").text for d in read.documents if _is_system(d))
    return "false" in off


def _is_system(document: Document) -> bool:
    return document.kind == "Configuration" and document.name == "daprsystem"


# --- the call -------------------------------------------------------------------------------------


def _judged(
    call: Call,
    target: App,
    possible: Sequence[App],
    found: Sequence[Document],
    is_secure: bool,
    read: Manifests,
) -> Finding:
    what, at = call.name or "a call", found[0].body.get("spec", "rules").where
    ids = sorted({a.app_id for a in possible})
    who = " or ".join(ids)
    if not is_secure:
        why = f"{found[0].name} makes {read.title(target)} refuse every call from {who}: {NO_MTLS}"
        fix = f"switch mTLS on, or hide {found[0].name} from {target.app_id} with scopes"
        return _finding("broken", at, why, fix)
    allowed = {a: any(_allows(rule, a, call) for d in found for rule in _rules(d)) for a in ids}
    if call.name is None and any(allowed.values()):
        why = f"whether a policy of {read.title(target)} allows the call is not known: its name is "
        return _finding("cannot be known", at, why + "computed at run time")
    if all(allowed.values()):
        return _finding("holds", at, f"{who} may call {what} of {read.title(target)}")
    if any(allowed.values()):
        some = ", ".join(a for a in ids if allowed[a])
        why = f"of the apps that may call {what} of {read.title(target)}, only {some} is allowed to"
        return _finding("cannot be known", at, why, "name the others as callers of a rule")
    names = ", ".join(d.name for d in found)
    why = f"{names} makes {read.title(target)} refuse {what} from {who}: no rule allows it"
    return _finding("broken", at, why, _fix(call, ids, found[0]))


def _fix(call: Call, ids: Sequence[str], policy: Document) -> str:
    at = policy.body.get("spec", "rules").where
    operations = " with the operation schedule" if LISTS[call.kind] == "workflows" else ""
    name = call.name or "the name"
    return f"allow {' or '.join(ids)} {name} under {LISTS[call.kind]}{operations} in {at}"


def _rules(policy: Document) -> list[Part]:
    return policy.body.get("spec", "rules").items


def _allows(rule: Part, caller: str, call: Call) -> bool:
    """Whether a rule lets an app make a call; of a name that is not known, whether it may."""
    if caller not in {c.get("appID").text for c in rule.get("callers").items}:
        return False
    entries = rule.get(LISTS[call.kind]).items
    if call.kind == "call_child_workflow":
        entries = [e for e in entries if SCHEDULE in {o.text for o in e.get("operations").items}]
    return any(call.name is None or matches(e.get("name").text, call.name) for e in entries)


def matches(pattern: str, name: str) -> bool:
    """Whether a name matches a pattern of Go's ``path.Match``; a wrong pattern matches nothing."""
    found = _regex(pattern)
    return bool(found and found.fullmatch(name))


_TOKEN = re.compile(r"\*+|\?|\[(\^?)((?:\\.|[^\]\\])+)\]|\\(.)|([^*?\[\\])", re.DOTALL)


def _regex(pattern: str) -> re.Pattern[str] | None:
    text, at = "", 0
    while at < len(pattern):
        token = _TOKEN.match(pattern, at)
        if token is None:
            return None
        text, at = text + _translated(token), token.end()
    try:
        return re.compile(text, re.DOTALL)
    except re.error:  # a range that runs backwards
        return None


def _translated(token: re.Match[str]) -> str:
    if token[0].startswith("*"):
        return "[^/]*"
    if token[0] == "?":
        return "[^/]"
    if token[2]:
        inside = re.sub(r"\\(.)|([\[\]^&~|])", lambda m: "\\" + (m[1] or m[2]), token[2])
        return f"[{token[1]}{inside}]"
    return re.escape(token[3] or token[4])


# --- the result, and what no source says ----------------------------------------------------------


def _result(
    target: App, possible: Sequence[App], of: dict[App, list[Document]], read: Manifests
) -> Iterator[Finding]:
    """A child workflow tells its parent's app when it has ended; a policy there refuses that."""
    closed = [a for a in possible if of[a]]
    if not closed:
        return
    caller, policy = closed[0], of[closed[0]][0]
    why = (
        f"{policy.name} makes {read.title(caller)} refuse what a child workflow in {target.app_id} "
        "returns; its parent would stay RUNNING (seen on 1.18.1)"
    )
    at = policy.body.get("scopes").where
    fix = f"hide {policy.name} from {caller.app_id} with scopes in {at}"
    state: State = "broken" if len(closed) == len(possible) else "cannot be known"
    yield _finding(state, at, why, fix)


def _unasked(
    of: dict[App, list[Document]], code: Code, secure: set[App], read: Manifests
) -> Iterator[Finding]:
    """A policy where no source that was read calls."""
    for app, found in of.items():
        if found and app.app_id not in code.called:
            why = f"{found[0].name} makes {read.title(app)} refuse what no rule allows"
            if app not in secure:
                why = (
                    f"{found[0].name} makes {read.title(app)} refuse calls from outside: {NO_MTLS}"
                )
            why += "; no source that was read calls it"
            yield _finding("cannot be known", found[0].body.get("spec", "rules").where, why)


def _finding(state: State, where: str, why: str, fix: str = "") -> Finding:
    return Finding("access policy", state, where, why, fix)
