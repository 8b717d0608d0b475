"""The systems that incidents happen on: their apps, what they promise, and the orders they get.

An order knows what it promised, so whether it was kept can be asked at any time: of the history,
the ledgers and the inbox, never of what a service says about itself. Nothing here knows a fault.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx

from labkit.apps.app import App
from labkit.apps.parts import HOST
from labkit.apps.sidecar import TOKEN_HEADER
from labkit.exercises.cases import AUDIT, NOTIFICATIONS, ORCHESTRATOR, Case, part
from labkit.exercises.catalogue import Edit
from labkit.exercises.drawing import Draw
from labkit.exercises.observations import rows_of, untouched
from labkit.exercises.shop import INVENTORY, ORDER_API, PAYMENT, SHIPPING, drawn, holds, order_id
from labkit.labs.view import View
from labkit.waiting import patience

KEPT = "as promised"
ESCALATION = "escalation-service"
CHANGES = 25
SHORT_HISTORY = 90
"""Events that a watch may have at most: so many changes make 130 where it never starts over."""
FALLBACK_SECONDS = 6.5
"""Two times the patience of the workflow, with something to spare."""
CALL_SECONDS = 5.0


@dataclass(frozen=True)
class Kind:
    """One kind of order.

    Attributes:
        workflow: its name.
        given: makes an input from drawn data.
        kept: says whether the promise was kept: ``KEPT``, or what was seen instead.
        tell: sends what the order waits for, right after it was placed.
        ends: whether the workflow comes to an end by itself.
        placed: again and again; once after each change of the system; or at the start only, which
            says nothing about whether a repair holds.
    """

    name: str
    workflow: str
    given: Callable[[Draw], dict[str, Any]]
    kept: Callable[[Case], str]
    tell: Callable[[View, str], None] | None = None
    ends: bool = True
    placed: Literal["always", "once", "at the start"] = "always"


@dataclass(frozen=True)
class System:
    """One system.

    Attributes:
        services: the folder below ``services/`` whose run file names the apps.
        env: of all its apps.
        promises: what it owes to its users, in words.
        replaced: the apps whose machine is replaced at the start of an incident; the first one
            hosts the workflows, and the second one is away for a while.
        moment: a number that grows when work is under way that such a replacement cuts off.
        edits: what this deployment has otherwise than the services of the course.
    """

    services: str
    title: str
    apps: tuple[str, ...]
    promises: tuple[str, ...]
    kinds: tuple[Kind, ...]
    replaced: tuple[str, str]
    moment: Callable[[View], int]
    env: Mapping[str, str] = field(default_factory=dict)
    edits: tuple[Edit, ...] = ()

    @property
    def host(self) -> str:
        """The app that is asked to start workflows."""
        return self.replaced[0]


# --- tasks ---------------------------------------------------------------------------------------


def _as_known(case: Case) -> str:
    """The steps, the mail and the push are those of the course, and no attempt has failed."""
    asked = untouched([case])
    seen = str(asked.observe())
    if seen != asked.expected:
        words = seen.partition(": ")[2]
        return words.partition(":")[0] if words.startswith("FAILED") else words
    if failed := [s.name for s in case.steps() if s.outcome == "failed"]:
        return f"{len(failed)} failed attempt{'s' * (len(failed) != 1)} of {failed[0]}"
    return KEPT


def _audited(case: Case) -> str:
    seen = _as_known(case)
    if seen != KEPT:
        return seen
    audits = [r for r in case.history.walk() if r.app_id == AUDIT]
    events = [e for r in audits for e in r.events if e.kind == "executionStarted"]
    mine = case.order.get("task_id")
    if others := [e for e in events if part(e.argument, "task_id") != mine]:
        return f"its audit is about {part(others[0].argument, 'task_id')}, not about {mine}"
    compliant = part(case.output, "audit", "compliant")
    return KEPT if compliant is True else "its audit found something"


def _in_time(case: Case) -> str:
    """It ended in time, and what it calls sent was sent; the rest may come later."""
    events = case.history.events
    taken = (events[-1].time - events[0].time).total_seconds()
    if taken > FALLBACK_SECONDS * patience():
        return f"it took {taken:.0f} s"
    sent = part(case.output, "notifications_sent")
    late = isinstance(sent, list) and not all(part(one, "sent") is True for one in sent)
    return KEPT if late else _as_known(case)


def _task(draw: Draw) -> dict[str, Any]:
    return draw.order()


def _odd(draw: Draw) -> dict[str, Any]:
    return draw.order(title=f"Translate %s into plain words, part {draw.number()}")


def _noted_mails(lab: View) -> int:
    """Return how many mails have left and are noted; 0 while one has left and is not.

    A machine that is lost in between makes a second mail: nothing can prevent that.
    """
    noted = [r for r in rows_of(lab, NOTIFICATIONS, "attempts") if r["channel"] == "email"]
    return len(noted) if len(noted) == len(lab.inbox) else 0


TASKS = System(
    services="",
    title="tasks: people are given tasks and are notified",
    apps=(ORCHESTRATOR, NOTIFICATIONS, AUDIT),
    promises=(
        "task_processing_multi_app: the assignee gets one mail and one push",
        "task_with_audit: one mail, and an audit of its own that finds nothing",
        "resilient_task_processing: one mail, at the first attempt",
        "task_with_fallback: ended after 6 s, also when notification-service is away",
    ),
    kinds=(
        Kind("processing", "task_processing_multi_app", _task, _as_known),
        Kind("audit", "task_with_audit", _task, _audited),
        Kind("fallback", "task_with_fallback", _task, _in_time),
        Kind("resilient", "resilient_task_processing", _task, _as_known),
        Kind("audit", "task_with_audit", _task, _audited),
        Kind("odd", "task_processing_multi_app", _odd, _as_known, placed="at the start"),
    ),
    replaced=(ORCHESTRATOR, NOTIFICATIONS),
    moment=_noted_mails,
    env={"SLOW_SECONDS": "0.5"},
    edits=(
        Edit("audit-service/main.py", '"task_moved", "task_closed"', '"task_closed"'),
        Edit("audit-service/main.py", '"SIDECAR_SECONDS", "15"', '"SIDECAR_SECONDS", "10"'),
        Edit(
            f"{ORCHESTRATOR}/main.py",
            'f"Task {order.task_id} is yours."',
            'f"Task {order.task_id} was assigned to you."',
        ),
    ),
)


# --- escalations ---------------------------------------------------------------------------------


def _escalated(draw: Draw) -> dict[str, Any]:
    return {**draw.order(), "manager_email": draw.email(), "lead_email": draw.email()}


def _with_status(status: str) -> Callable[[Case], str]:
    def kept(case: Case) -> str:
        found = case.run.status
        if found != "COMPLETED":
            return found
        seen = part(case.output, "status")
        return KEPT if seen == status else f'the result is "{seen}", not "{status}"'

    return kept


def _event(name: str, **data: Any) -> Callable[[View, str], None]:
    return lambda lab, id: tell(lab.app(ESCALATION), id, name, data)


def _refused_first(lab: View, id: str) -> None:
    for role, approved in (("manager", False), ("lead", True)):
        _event("answer", role=role, by=role, approved=approved)(lab, id)


def _changes(lab: View, id: str) -> None:
    for number in range(CHANGES):
        _event("change", what=f"change {number}")(lab, id)


def _short(case: Case) -> str:
    noted = len(rows_of(case.lab, ESCALATION, "changes"))
    events = len(case.history.events)
    if events > SHORT_HISTORY:
        return f"its history has {events} events, and grows with every change"
    return KEPT if noted else "no change was noted"


ESCALATIONS = System(
    services="escalation",
    title="escalations: people are reminded, and decide",
    apps=(ESCALATION, NOTIFICATIONS),
    promises=(
        "task_escalation: a task that is done ends as done; an approval counts, whenever it comes;"
        " without any answer it is timed out after 8 s",
        "task_handover: the manager decides, whoever answers first",
        "task_watch: every change is noted, and the next one costs no more",
    ),
    kinds=(
        Kind("approved", "task_escalation", _escalated, _with_status("reassigned"),
             _event("approval", approved=True, by="morgan")),
        Kind("done", "task_escalation", _escalated, _with_status("done"),
             _event("task_done", by="alice")),
        Kind("silent", "task_escalation", _escalated, _with_status("timed out")),
        Kind("handover", "task_handover", _escalated, _with_status("kept"), _refused_first),
        Kind("watch", "task_watch", lambda draw: {"task_id": draw.task_id()}, _short,
             _changes, ends=False, placed="once"),
    ),
    replaced=(ESCALATION, NOTIFICATIONS),
    moment=lambda lab: len(lab.inbox),
    env={"REMIND_SECONDS": "2", "ESCALATE_SECONDS": "2", "APPROVAL_SECONDS": "2"},
    edits=(
        Edit(f"{ESCALATION}/main.py", '"CHANGES_EACH", "12"', '"CHANGES_EACH", "10"'),
        Edit(
            f"{ESCALATION}/main.py",
            """f"Task {task['task_id']}: {task['title']}.\"""",
            """f"Task {task['task_id']}.\"""",
        ),
        Edit(f"{NOTIFICATIONS}/main.py", '"SIDECAR_SECONDS", "15"', '"SIDECAR_SECONDS", "10"'),
    ),
)  # fmt: skip


# --- the shop ------------------------------------------------------------------------------------


def _sold(status: str) -> Callable[[Case], str]:
    def kept(case: Case) -> str:
        seen = _with_status(status)(case)
        if seen != KEPT and not seen.startswith("the result is"):
            return seen
        agreed = str(holds(case).observe())
        if agreed != "all of it holds":
            return agreed.replace(str(order_id(case)), "it")
        if seen != KEPT:
            reason = part(case.output, "reason")
            return f"{seen} ({reason})"
        return _money(case)

    return kept


def _money(case: Case) -> str:
    """What was returned is what was paid; not every deployment counts refunds of their own."""
    mine = [r for r in rows_of(case.lab, PAYMENT, "refunds") if r["order_id"] == order_id(case)]
    paid = [r for r in rows_of(case.lab, PAYMENT, "payments") if r["order_id"] == order_id(case)]
    if len(mine) > 1:
        return f"it was refunded {len(mine)} times"
    taken = sum(r["amount"] or 0 for r in paid)
    if (back := sum(r["amount"] for r in mine)) > taken:
        return f"{taken} paid, {back} refunded"
    return KEPT


def _order(**changes: Any) -> Callable[[Draw], dict[str, Any]]:
    return lambda draw: drawn(draw, **{"quantity": 1, **changes})


def _approval(lab: View, id: str) -> None:
    tell(lab.app(ORDER_API), id, "approval", {"approved": True})


def _refunds(lab: View) -> int:
    found = rows_of(lab, PAYMENT, "payments")
    return sum(bool(row["refunded_at"]) for row in found)


SHOP = System(
    services="fulfilment",
    title="a shop: orders are reserved, paid, delivered, or undone",
    apps=(ORDER_API, INVENTORY, PAYMENT, SHIPPING, NOTIFICATIONS),
    promises=(
        "fulfil_order: what can be delivered is delivered, paid and confirmed",
        "fulfil_order: any other order is cancelled, and nothing of it is left: no goods, no money",
        "fulfil_order: from an amount of 1000, without a yes within 2 s it is cancelled",
    ),
    kinds=(
        Kind("plain", "fulfil_order", _order(), _sold("fulfilled")),
        Kind("far", "fulfil_order", _order(country="AQ"), _sold("cancelled")),
        Kind("large", "fulfil_order", _order(amount=2000), _sold("cancelled")),
        Kind("declined", "fulfil_order", _order(card="declined"), _sold("cancelled")),
        Kind("approved", "fulfil_order", _order(amount=2000), _sold("fulfilled"), _approval),
    ),
    replaced=(ORDER_API, PAYMENT),
    moment=_refunds,
    env={"APPROVAL_SECONDS": "2", "REFUND_SECONDS": "0.5"},
    edits=(
        # Twenty books would be sold after a minute; nobody may be able to order a thousand.
        Edit(f"{INVENTORY}/main.py", '{"book": 900, "lamp', '{"book": 20, "lamp'),
        Edit(f"{ORDER_API}/main.py", "timedelta(seconds=4)", "timedelta(seconds=3)"),
        Edit(f"{SHIPPING}/main.py", '"SIDECAR_SECONDS", "15"', '"SIDECAR_SECONDS", "10"'),
    ),
)  # fmt: skip

SYSTEMS = {s.services: s for s in (TASKS, ESCALATIONS, SHOP)}


def kept(kind: Kind, case: Case) -> str:
    """Return ``KEPT``, or what was seen instead; "" when nobody answers or it is under way."""
    with suppress(Exception):  # a question of an incident may find anything, or nothing
        if kind.ends and not case.run.has_ended:
            return ""
        return kind.kept(case)
    return ""


# --- calls ---------------------------------------------------------------------------------------


def start(app: App, kind: Kind, id: str, given: Any) -> str:
    """Start a workflow by HTTP, as a client of another language would; return why it was refused.

    Returns:
        "" when it was accepted.
    """
    return _post(app, f"{kind.workflow}/start?instanceID={id}", given)


def tell(app: App, id: str, event: str, data: Any) -> None:
    """Raise an event; whoever is not there does not hear it."""
    _post(app, f"{id}/raiseEvent/{event}", data)


def _post(app: App, path: str, body: Any) -> str:
    url = f"http://{HOST}:{app.ports.http}/v1.0/workflows/dapr/{path}"
    headers, within = {TOKEN_HEADER: app.shared.token}, CALL_SECONDS * min(patience(), 3)
    try:
        answer = app.shared.http.post(url, json=body, headers=headers, timeout=within)
    except httpx.HTTPError as problem:
        return f"no answer: {type(problem).__name__}"
    return "" if answer.is_success else answer.text
