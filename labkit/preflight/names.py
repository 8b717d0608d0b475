"""The third requirement: the app IDs and names that a workflow calls exist."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from labkit.preflight.findings import Finding, State
from labkit.preflight.model import App, Manifests
from labkit.preflight.module import Call, Registration
from labkit.preflight.owners import Code
from labkit.preflight.sources import Sources

KINDS = {"call_activity": "activity", "call_child_workflow": "workflow"}
MOST_NAMES = 10
AN = {"activity": "an activity", "workflow": "a workflow"}


def names(read: Manifests, code: Code) -> Iterator[Finding]:
    """Say for each call whether its app is deployed and registers the name."""
    calls = code.calls
    if not calls:
        why = "no manifest names activities or workflows; give the code of the apps with --source"
        if code.of or code.given.files:
            why = "the sources that were read call no other app"
        yield Finding("names", "cannot be known", "-", why)
    nowhere = _Nowhere(read)
    by_id: dict[str, list[App]] = {}
    for app in read.apps:
        by_id.setdefault(app.app_id, []).append(app)
    for caller, call in calls:
        targets = by_id.get(call.app_id or "", [])
        near = [a for a in targets if caller is None or a.deployment == caller.deployment]
        yield (
            _judged(call, near, code, read.has_namespaces) if near else nowhere.judged(call, caller)
        )


class _Nowhere:
    """No app has the ID that is called: broken, unless what was not read may deploy it."""

    def __init__(self, read: Manifests) -> None:
        self.unread = _some(list(dict.fromkeys(read.unread)))
        self.known: dict[str, set[str]] = {}
        for app in read.apps:
            self.known.setdefault(app.deployment, set()).add(app.app_id)
        self.all = set[str]().union(*self.known.values())

    def judged(self, call: Call, caller: App | None) -> Finding:
        """Return the finding on a call."""
        if call.app_id is None:
            what = "the app ID is computed at run time"
            if call.name is None:
                what = f"what {call.kind} is called with here is computed at run time"
            return _finding(call, "cannot be known", what)
        why = f"{call.name or 'a call'} goes to {call.app_id}, which no manifest deploys"
        if not self.all:
            return _finding(call, "cannot be known", f"{why}; no app was found at all")
        if self.unread and (caller is None or caller.is_in_cluster):
            why = f"{why} that was read; not read: {self.unread}"
            return _finding(call, "cannot be known", why)
        known = self.known[caller.deployment] if caller else self.all
        fix = f"deploy {call.app_id}, or call one of: {_some(sorted(known))}"
        return _finding(call, "broken", f"{why}; the workflow would stay RUNNING", fix)


def _some(names: list[str]) -> str:
    return ", ".join(names[:MOST_NAMES]) + (", ..." if len(names) > MOST_NAMES else "")


def _judged(call: Call, targets: Sequence[App], code: Code, several: bool) -> Finding:
    target = next((a for a in targets if a in code.of), None)
    if not any(a.is_sure for a in targets):
        why = f"{targets[0].workload} names {call.app_id}; whether its sidecar runs, no file says"
        return _finding(call, "cannot be known", why)
    places = ", ".join(dict.fromkeys(a.namespace for a in targets if a.is_in_cluster))
    deployed = f"{call.app_id} is deployed" + (f" in {places}" if several and places else "")
    if call.name is None:
        why = f"{deployed}; the name is computed at run time"
        return _finding(call, "cannot be known", why)
    return _in_its_source(call, target, code) if target else _in_given(call, code.given, deployed)


def _in_its_source(call: Call, target: App, code: Code) -> Finding:
    own, kind = code.of[target], KINDS[call.kind]
    same = [r for r in own.registrations if r.name == call.name]
    right = next((r for r in same if r.kind == kind), None)
    if right and target in code.shared:
        why = f"{right.where} registers {call.name}; several apps have that folder"
        return _finding(call, "cannot be known", why)
    if right:
        return _finding(call, "holds", f"{target.app_id} registers {call.name} in {right.where}")
    doubt = _doubt(call, own, code.given)
    if doubt:
        why = f"{target.app_id} registers no {call.name} that can be read; {doubt}"
        return _finding(call, "cannot be known", why)
    if same:
        why = f"{target.app_id} registers {call.name} as {AN[same[0].kind]} ({same[0].where}), "
        other = next(c for c, k in KINDS.items() if k == same[0].kind)
        return _finding(
            call, "broken", f"{why}and this calls {AN[kind]}", f"use {other}, or another name"
        )
    why = f"no source of {target.app_id} registers the {kind} {call.name}; the call would fail"
    return _finding(call, "broken", why, _fix(call, own.registrations))


def _doubt(call: Call, own: Sources, given: Sources) -> str:
    """Why a name may be registered although nothing read says so; "" for no doubt."""
    kind = KINDS[call.kind]
    unsure = [r for r in own.registrations if r.kind == kind and not (r.name and r.is_sure)]
    elsewhere = [r for r in given.registrations if (r.kind, r.name) == (kind, call.name)]
    beside = [r for r in own.beside if (r.kind, r.name) in ((kind, call.name), (kind, None))]
    if beside:
        return f"{beside[0].where} may, and no file that its command runs imports it"
    if unsure:
        return f"{unsure[0].where} registers a computed name"
    if elsewhere:
        return f"{elsewhere[0].where} does, outside its folder"
    if not own.is_worker:
        return "its Python sources do not use the workflow SDK"
    if not own.has_runtime:
        return "the module that makes its WorkflowRuntime was not read"
    if not own.is_complete:
        return "not all of its sources could be read"
    return "" if call.is_sure else "the source of the function that is called was not read"


def _in_given(call: Call, given: Sources, deployed: str) -> Finding:
    """An app of which nobody knows the source; sources that were named may be its own."""
    kind = KINDS[call.kind]
    of_kind = [r for r in given.registrations if r.kind == kind]
    fits = next((r for r in of_kind if r.name == call.name), None)
    why = f"{deployed}; whether it has registered {call.name} is known to its code"
    near = _nearest(call, of_kind)
    if fits:
        why = f"{fits.where} registers {call.name}; whether {call.app_id} runs it, no file says"
    elif near:
        why = f"{why}; the sources given register {near}, and not {call.name}"
    elif given.registrations:
        why = f"{why}; the sources given do not register it as {AN[kind]}"
    else:
        why = f"{why} only"
    return _finding(call, "cannot be known", why)


def _fix(call: Call, registrations: Sequence[Registration]) -> str:
    of_kind = [r for r in registrations if r.kind == KINDS[call.kind]]
    near = _nearest(call, of_kind)
    if near:
        return f"did you mean {near}?"
    known = ", ".join(sorted({r.name for r in of_kind if r.name}))
    return f"register {call.name} there" + (f", or use one of: {known}" if known else "")


def _nearest(call: Call, registrations: Sequence[Registration]) -> str:
    known = [r.name for r in registrations if r.name]
    return next(iter(get_close_matches(call.name or "", known, 1)), "")


def _finding(call: Call, state: State, why: str, fix: str = "") -> Finding:
    return Finding("names", state, call.where, why, fix)
