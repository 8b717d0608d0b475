"""Which pods of Kubernetes manifests get a sidecar, and under which app ID.

As Dapr's injector decides it (dapr/dapr v1.18.1, pkg/injector): it looks at each pod as it is made,
so it counts what stands in the template of the pod, whatever kind makes pods of it, and nothing
that stands beside it.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from labkit.preflight.annotations import PREFIX, wrong_values
from labkit.preflight.findings import Finding, State
from labkit.preflight.model import App, Document, is_placeholder
from labkit.preflight.parts import Part

CORE = (
    *("Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController"),
    *("Job", "CronJob"),
)
"""Kinds of Kubernetes itself that make pods. Their controllers may have pods injected
(pkg/injector/service/injector.go:49)."""
GROUPS = ("", "apps", "batch", "extensions")
THROUGH_CORE = (
    ("argoproj.io", "Rollout"),
    ("serving.knative.dev", "Service"),
    ("serving.knative.dev", "Configuration"),
    ("keda.sh", "ScaledJob"),
)
"""Kinds that make their pods by way of a ReplicaSet, a Deployment or a Job."""
SIDECAR = "daprd"
ENABLED, APP_ID, CONFIG = "dapr.io/enabled", "dapr.io/app-id", "dapr.io/config"
PLACEMENT, SCHEDULER = "dapr.io/placement-host-address", "dapr.io/scheduler-host-address"
NOT_ENABLED = ("false", "no", "off", "0", "n", "f", "")
LONGEST_SERVICE, SUFFIX = 63, "-dapr"
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
OTHERS_NO_PODS = (("replicas", "0", "1"),)
NO_PODS = {
    "Job": (("suspend", "true", "false"), ("parallelism", "0", "1")),
    "CronJob": (("suspend", "true", "false"),),
}
"""By kind what keeps a workload from making pods: a key of its spec, and the value."""
MOST_PARTS, MOST_REPLICAS = 5000, 10


@dataclass(frozen=True)
class Pods:
    """The template that a document makes pods of.

    Attributes:
        notes: the annotations of the pods.
        template: what holds them, the line to add them to.
        is_sure: whether this kind is known to make pods of it that get a sidecar.
    """

    document: Document
    template: Part
    notes: Part
    is_sure: bool

    @property
    def title(self) -> str:
        """Kind and name."""
        return f"{self.document.kind} {self.document.name}".strip()


def is_workload(document: Document) -> bool:
    """Whether a document makes pods, or names Dapr where a kind that is not known may read it."""
    if is_core(document):
        return True
    is_foreign = "." in document.group and not document.group.endswith((".k8s.io", "dapr.io"))
    return is_foreign and next(_mentions(document.body), None) is not None


def patch(document: Document) -> Finding | None:
    """Say of a part of a workload, as ``kubectl patch`` takes it, that the rest is not there."""
    at = document.body.get("spec", "template", "metadata", "annotations")
    if document.kind or not any(key.startswith(PREFIX) for key, _ in at.keys):
        return None
    why = "annotations of Dapr in a part of a workload: what it is applied to is not known"
    return Finding("file", "cannot be known", at.where, why, "name the whole manifest, as applied")


def apps_of(document: Document) -> tuple[list[App], list[Finding]]:
    """Return the apps that a workload deploys, and what is wrong with its annotations."""
    pods = pods_of(document)
    if pods is None:
        return _elsewhere(document)
    if _own_sidecar(pods):
        return _of_own_sidecar(pods), []
    if not _is_enabled(pods):
        return [], [*_misplaced(pods)] or [*_disabled(pods)]
    wrong = [f for key, part in pods.notes.keys for f in _no_text(key, part)]
    wrong += wrong_values(pods.notes, pods.title)
    names, more = _app_ids(pods)
    doubt = [*([] if pods.is_sure else [_of_others(pods)]), *_no_pods(pods)]
    apps = [replace(_app(name, pods), is_sure=not doubt) for name in names]
    return apps, [*wrong, *more, *_control_plane(pods), *_not_selected(pods), *doubt]


def invalid(app_id: str) -> str:
    """Say why Kubernetes would not take an app ID, "" if it would.

    The rule of pkg/validation/validation.go:33: ``<app ID>-dapr`` is the name of a service.
    """
    if len(app_id + SUFFIX) > LONGEST_SERVICE:
        return f"it is longer than {LONGEST_SERVICE - len(SUFFIX)} characters"
    if not LABEL.fullmatch(app_id + SUFFIX):
        return "only small letters, digits and - may be in it"
    return ""


# --- where the pods are ---------------------------------------------------------------------------


def is_core(document: Document) -> bool:
    """Whether it is a workload of Kubernetes itself."""
    return document.kind in CORE and document.group in GROUPS


def pods_of(document: Document) -> Pods | None:
    """Return the template of which a workload makes pods; None where it is not known."""
    body, spec = document.body, document.body.get("spec")
    template = spec.get("template")
    if is_core(document):
        if document.kind == "Pod":
            return Pods(document, body, body.get("metadata", "annotations"), is_sure=True)
        inner = spec.get("jobTemplate", "spec", "template")
        return _of_template(document, inner if document.kind == "CronJob" else template, True)
    is_sure = (document.group, document.kind) in THROUGH_CORE
    if template.get("metadata", "annotations", ENABLED) or (is_sure and template):
        return _of_template(document, template, is_sure)
    named = (p for p in _maps(spec) if p.get("metadata", "annotations", ENABLED))
    found = next((p for p in named if p.get("spec", "containers").items), None)
    return _of_template(document, found, is_sure) if found else None


def _of_template(document: Document, template: Part, is_sure: bool) -> Pods:
    return Pods(document, template, template.get("metadata", "annotations"), is_sure)


def _maps(part: Part) -> Iterator[Part]:
    """Maps within a part, outer ones first; at most a few thousand, each once."""
    waiting, seen = deque([part]), set[int]()
    while waiting and len(seen) < MOST_PARTS:
        one = waiting.popleft()
        if id(one.node) in seen:
            continue
        seen.add(id(one.node))
        if one.keys:
            yield one
        waiting += [*one.items, *(value for _, value in one.keys)]


def _mentions(part: Part) -> Iterator[Part]:
    """Maps in which Dapr is switched on."""
    return (p for p in _maps(part) if p.get(ENABLED).text.lower() == "true")


def _is_enabled(pods: Pods) -> bool:
    # Nothing but "true" counts: pkg/injector/service/handler.go:210.
    return pods.notes.get(ENABLED).text.lower() == "true"


# --- what is wrong --------------------------------------------------------------------------------


def _misplaced(pods: Pods) -> Iterator[Finding]:
    """Annotations of Dapr that no pod carries."""
    place = next(_mentions(pods.document.body), None)
    if place is None or pods.notes.get(ENABLED):
        return
    on = place.get(APP_ID).text or pods.document.name
    why = (
        f"{on} gets no sidecar: its dapr.io lines are not annotations of the pods of {pods.title}, "
        "and Dapr reads no others"
    )
    yield _finding("broken", place.get(ENABLED).where, why, f"move them under {_path(pods)}")


def _path(pods: Pods) -> str:
    """Where the annotations of the pods belong."""
    outer = {"Pod": "", "CronJob": "spec.jobTemplate.spec.template."}
    return outer.get(pods.document.kind, "spec.template.") + "metadata.annotations"


def _disabled(pods: Pods) -> Iterator[Finding]:
    """An app ID without the annotation that asks for a sidecar, or with one that does not."""
    switch, app_id = pods.notes.get(ENABLED), pods.notes.get(APP_ID)
    if switch and switch.text.lower() in NOT_ENABLED:
        return
    if switch:
        why = f'{pods.title} gets no sidecar: {ENABLED} is {switch.text!r}, and only "true" counts'
        yield _finding("broken", switch.where, why, f'write {ENABLED}: "true"')
    elif app_id:
        why = f"{pods.title} gets no sidecar: it has {APP_ID}, and no {ENABLED}"
        yield _finding("broken", app_id.where, why, f'add {ENABLED}: "true" beside it')


def _no_text(key: str, part: Part) -> Iterator[Finding]:
    if key.startswith(PREFIX) and part and not part.is_text:
        why = f"{key} is no text; Kubernetes takes an annotation in quotes only"
        yield _finding("broken", part.where, why, f'write {key}: "{part.text}"')


def _app_ids(pods: Pods) -> tuple[list[str], list[Finding]]:
    """The app ID as written, else the name that the pod has when the injector sees it."""
    given = pods.notes.get(APP_ID)
    name = given.text
    add = f"add {APP_ID}: {pods.document.name or 'NAME'} to the annotations of the pods"
    if name:
        return _checked([name], given.where)
    at = given.where if given else pods.notes.where
    if pods.document.kind == "Pod" and pods.document.name:
        return _checked([pods.document.name], pods.document.body.get("metadata", "name").where)
    if pods.document.kind == "StatefulSet" and is_core(pods.document):
        return _ordinals(pods, at, add)
    if not pods.is_sure:
        why = f"no {APP_ID} is set; whether a pod of {pods.title} has a name in time, no file says"
        return [], [_finding("cannot be known", at, why, add)]
    why = (
        f"{pods.title} has no {APP_ID}: its pods have no name yet when Dapr looks at them, so they "
        "are refused"
    )
    return [], [_finding("broken", at, why, add)]


def _ordinals(pods: Pods, at: str, add: str) -> tuple[list[str], list[Finding]]:
    spec, name = pods.document.body.get("spec"), pods.document.name
    start = _number(spec.get("ordinals", "start"), 0)
    count = min(_number(spec.get("replicas"), 1), MOST_REPLICAS) or 1
    names, wrong = _checked([f"{name}-{n}" for n in range(start, start + count)], at)
    why = f"without {APP_ID} each pod of {pods.title} is an app of its own: {name}-{start}, ..."
    return names, [*wrong, _finding("note", at, why, add)]


def _number(part: Part, default: int) -> int:
    return int(part.text) if part.text.isdecimal() and len(part.text) < 6 else default


def _checked(names: list[str], where: str) -> tuple[list[str], list[Finding]]:
    if is_placeholder(names[0]):
        why = f"the app ID {names[0]!r} is not written yet"
        return [], [
            _finding("cannot be known", where, why, "fill it in first, and name the result")
        ]
    wrong = next(((n, invalid(n)) for n in names if invalid(n)), None)
    if not wrong:
        return names, []
    why = f"the app ID {wrong[0]!r} is refused, and its pods with it: {wrong[1]}"
    fix = f"write another {APP_ID}, and call the app by it"
    return [], [_finding("broken", where, why, fix)]


def _control_plane(pods: Pods) -> Iterator[Finding]:
    """An address of the control plane that is set to nothing switches workflows off."""
    for key, what in ((PLACEMENT, "placement"), (SCHEDULER, "the scheduler")):
        given = _address(pods.notes, key)
        if given and not _trimmed(given):
            why = f"the sidecar of {pods.title} is told to use no {what.split()[-1]}: no workflow "
            why += "and no call to it gets on"
            yield _finding("broken", given.where, why, f"remove {key}; {what} is found without it")


def _address(notes: Part, key: str) -> Part | None:
    return next((part for name, part in notes.keys if name == key), None)


def _trimmed(given: Part) -> str:
    # As pkg/injector/patcher/sidecar.go:180 does.
    return given.text.strip("\"'").strip()


# --- apps -----------------------------------------------------------------------------------------


def _app(name: str, pods: Pods) -> App:
    document, config = pods.document, pods.notes.get(CONFIG)
    place = document.namespace
    containers = pods.template.get("spec", "containers").items
    placement, scheduler = (_address(pods.notes, key) for key in (PLACEMENT, SCHEDULER))
    return App(
        name,
        place.text or "default",
        where=document.where,
        namespace_at=place.where,
        set_namespace=f"set namespace: {{}} in {place.where}",
        config=config.text,
        config_at=config.where,
        workload=pods.title,
        images=tuple(c.get("image").text for c in containers),
        is_open=not place.text,
        is_sure=pods.is_sure,
        placement=placement,
        scheduler=scheduler,
    )


def is_read(document: Document) -> bool:
    """Whether it is known where this kind keeps its pods, and what their app ID is."""
    pods = pods_of(document)
    return pods is not None and not is_placeholder(pods.notes.get(APP_ID).text)


def _elsewhere(document: Document) -> tuple[list[App], list[Finding]]:
    """A kind that is not known names Dapr, in a place that its controller may copy to pods."""
    places = list(_mentions(document.body))
    found = [Pods(document, place, place, is_sure=False) for place in places]
    apps = [_app(p.notes.get(APP_ID).text, p) for p in found if p.notes.get(APP_ID).text]
    why = f"{found[0].title} names Dapr, and is of a kind that is not read"
    return apps, [_finding("cannot be known", places[0].get(ENABLED).where, why)]


def _of_others(pods: Pods) -> Finding:
    why = (
        f"the pods of {pods.title} are made by a controller that is not of Kubernetes; Dapr gives "
        "them a sidecar only where that controller is allowed"
    )
    fix = "set dapr_sidecar_injector.allowedServiceAccounts when you install Dapr"
    return _finding("cannot be known", pods.notes.get(ENABLED).where, why, fix)


def _no_pods(pods: Pods) -> Iterator[Finding]:
    for key, none, fix in NO_PODS.get(pods.document.kind, OTHERS_NO_PODS):
        given = pods.document.body.get("spec", key)
        if given.text.lower() == none:
            why = f"{pods.title} has no pods until something changes it: {key} is {given.text}"
            yield _finding("cannot be known", given.where, why, f"set {key}: {fix}")


def _not_selected(pods: Pods) -> Iterator[Finding]:
    """Labels that a workload looks for, and that its own pods do not have: it is refused."""
    if pods.document.group != "apps":
        return
    labels = pods.template.get("metadata", "labels")
    for key, wanted in pods.document.body.get("spec", "selector", "matchLabels").keys:
        if wanted.text != (has := labels.get(key).text):
            why = (
                f"Kubernetes refuses {pods.title}: its selector asks for {key}: {wanted.text}, and "
                f"its pods have {f'{key}: {has}' if has else f'no label {key}'}"
            )
            fix = f"write {key}: {wanted.text} among the labels of the template"
            yield _finding("broken", wanted.where, why, fix)


def _own_sidecar(pods: Pods) -> Part | None:
    """A container that is the sidecar already; nothing is injected beside it."""
    spec = pods.template.get("spec")
    containers = [*spec.get("containers").items, *spec.get("initContainers").items]
    return next((c for c in containers if c.get("name").text == SIDECAR), None)


def _of_own_sidecar(pods: Pods) -> list[App]:
    container = _own_sidecar(pods) or pods.template
    words = [w.text for key in ("command", "args") for w in container.get(key).items]
    after = {w.lstrip("-"): v for w, v in pairwise(words)}
    joined = (w.lstrip("-").partition("=") for w in words)
    app_id = {k: v for k, _, v in joined if v}.get("app-id") or after.get("app-id", "")
    return [replace(_app(app_id, pods), is_sure=False)] if app_id else []


def _finding(state: State, where: str, why: str, fix: str = "") -> Finding:
    return Finding("sidecar", state, where, why, fix)
