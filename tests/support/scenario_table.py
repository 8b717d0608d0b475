"""The scenarios: every workflow of the course, and of ``tests/data/programs``, at least once."""

from __future__ import annotations

import json
from typing import Any

from labkit import paths
from tests.support.lessons import deployed
from tests.support.scenarios import DATA, Deployment, Scenario

SERVICES = paths.repo() / "services"
TASK = {
    "task_id": "task-123",
    "title": "Review PR",
    "assignee_email": "alice@example.com",
    "assignee_user_id": "user-alice",
    "manager_email": "boss@example.com",
}
ORDER = {
    "task_id": "t-1",
    "title": "Outage in production",
    "user_id": "alice",
    "email": "alice@example.com",
    "manager_email": "boss-of-alice@example.com",
    "patience_seconds": 3,
}
SALE = json.loads((SERVICES / "fulfilment" / "order.json").read_text("utf-8"))
YES = {"approved": True, "by": "boss"}


def event(name: str, data: Any = None) -> tuple[str, str, Any]:
    return ("event", name, data)


def sale(order_id: str, **changes: Any) -> dict[str, Any]:
    return {**SALE, "order_id": order_id, **changes}


_T, _N, _A = "task-orchestrator-service", "notification-service", "audit-service"
_ENTRY = {"task_id": "t-1", "action": "assigned", "actor": "a@example.com", "timestamp": "now"}
TASKS = (
    Scenario("multi", _T, "task_processing_multi_app", TASK),
    Scenario("refused", _T, "task_processing_multi_app", {**TASK, "title": " "}),
    Scenario("with-audit", _T, "task_with_audit", {**TASK, "task_id": "audited"}),
    Scenario("with-priority", _T, "task_with_priority", TASK),
    Scenario("resilient", _T, "resilient_task_processing", TASK),
    Scenario("with-fallback", _T, "task_with_fallback", TASK),
    Scenario(
        "delivered",
        _T,
        "deliver_notification",
        {"activity": "send_push", "message": {"user_id": "u", "title": "t", "message": "m"}},
    ),
    Scenario("undelivered", _T, "deliver_notification", {"activity": "send_fax", "message": {}}),
    Scenario("audit-alone", _A, "compliance_audit_workflow", _ENTRY),
    Scenario("audit-alert", _A, "compliance_audit_workflow", {**_ENTRY, "actor": "a@else.org"}),
)
_E = "escalation-service"
CHANGES = tuple(event("change", {"what": f"change {n}"}) for n in range(11))
ESCALATION = (
    Scenario("done", _E, "task_escalation", TASK, (event("task_done", {"by": "alice"}),)),
    Scenario("timed-out", _E, "task_escalation", TASK),
    Scenario(
        "reassigned",
        _E,
        "task_escalation",
        TASK,
        (event("approval", YES),),  # before the wait: it is kept until then
    ),
    Scenario("watched", _E, "task_watch", TASK, (*CHANGES, event("change", {"what": "closed"}))),
)
_O = "order-api"
FULFILMENT = (
    Scenario("sold", _O, "fulfil_order", sale("sold")),
    Scenario("declined", _O, "fulfil_order", sale("declined", card="declined")),
    Scenario("rejected", _O, "fulfil_order", sale("rejected", quantity=0)),
    Scenario("large", _O, "fulfil_order", sale("large", amount=2000), (event("approval", YES),)),
    Scenario("nobody", _O, "fulfil_order", sale("nobody", amount=2000)),
    Scenario("shipped", _O, "ship_order", sale("shipped")),
    Scenario("not-shipped", _O, "ship_order", sale("not-shipped", country="XX")),
    Scenario("confirmation", _O, "send_confirmation", sale("confirmation")),
)
CENTRALISED = (
    Scenario("order", _T, "task_processing", ORDER),
    Scenario("bulk", _T, "bulk_task_processing", {"titles": list("abcde"), "limit": 1}),
    Scenario("escalated", _T, "task_escalation", ORDER),
    Scenario("in-time", _T, "task_escalation", ORDER, (event("done"),)),
)
DOMAINS = (
    Scenario("order", _T, "task_processing", ORDER),
    Scenario("audit", _A, "compliance_audit", _ENTRY),
    Scenario(
        "campaign",
        _N,
        "notification_campaign",
        {"task_id": "t", "title": "x", "audience": ["a@example.com", "b@example.com"]},
    ),
)
GATEWAY = (Scenario("order", "gateway-service", "process_user_request", ORDER),)

F, B = "front", "back"
PAUSE = (
    ("wait", "taskScheduled"),
    ("suspend",),
    ("wait", "taskCompleted"),
    ("resume",),
)
ITEMS = tuple(event("item", n) for n in (1, 2, 0, 3))
PROGRAMS = (
    Scenario("approve", F, "approve", None, (event("approval", "yes"),)),
    Scenario("approve-none", F, "approve", None, (event("approval", 0),)),
    Scenario("approve-waits", F, "approve"),
    Scenario("approve-resumed", F, "approve", None, (("resume",),)),  # the SDK fails it
    Scenario("approve-ended", F, "approve", None, (("terminate",),)),
    Scenario("after-work", F, "approve_after_work", None, (event("APPROVAL", {"by": "Ada"}),)),
    Scenario("in-time", F, "approve_or_late", 4, (event("approval", 1),)),
    Scenario("late", F, "approve_or_late", 1),
    Scenario("within", F, "approve_within", 4, (event("approval", [1]),)),
    Scenario("without", F, "approve_within", 1),
    Scenario("no-patience", F, "no_patience"),
    Scenario(
        "fan-in", F, "fan_in", ["a", "b"], (event("b", 2), event("b", 3), event("a", {"x": 1}))
    ),
    Scenario("gather-kept", F, "gather", {"seen": [], "keep": True}, ITEMS),
    Scenario("gather-lost", F, "gather", {"seen": [], "keep": False}, ITEMS),
    Scenario(
        "gather-at-once",
        F,
        "gather",
        {"seen": [], "keep": True},
        (("suspend",), *ITEMS, ("resume",)),
    ),
    Scenario(
        "gather-lost-at-once",
        F,
        "gather",
        {"seen": [], "keep": False},
        (("suspend",), *ITEMS, ("resume",)),
    ),
    Scenario("watch", F, "watch", 0, (("wait", "timerCreated"), ("terminate",))),
    Scenario("count-down", F, "count_down", 45),
    Scenario("poll", F, "poll", {"key": "poll", "fails": 2}),
    Scenario("race", F, "race", only_real="an activity takes no time in process"),
    Scenario("retried-child", F, "retried_child", 2),
    Scenario("given-up-child", F, "retried_child", 9),
    Scenario("guard-child", F, "guard", "child"),
    Scenario("guard-activity", F, "guard", "activity"),
    Scenario("guard-all", F, "guard", "all"),
    Scenario("hasty-retry", F, "hasty_retry"),
    Scenario("same-name", F, "same_name"),
    Scenario("family-ended", F, "family", None, (("terminate",),)),
    Scenario("family-waits", F, "family"),
    Scenario("lineage", F, "lineage"),
    Scenario("parcel", F, "parcel", {"number": 7}),
    Scenario("parcel-wrong", F, "parcel", {"number": "seven"}),
    Scenario("doubles", F, "doubles", [1, 2, 3]),
    Scenario("raises", F, "raises"),
    Scenario("no-json", F, "no_json"),
    Scenario("no-task", F, "no_task"),
    Scenario("no-steps", F, "no_steps"),
    Scenario("misspelt-activity", F, "misspelt", "activity"),
    Scenario("misspelt-child", F, "misspelt", "child"),
    Scenario("misspelt-workflow", F, "nobody_has_it"),
    Scenario("absent", F, "absent"),
    Scenario("absent-at-once", F, "absent_at_once"),
    Scenario("piles", F, "piles", 4, large=True),
    Scenario("carries", F, "carries", 5),
    Scenario("paused", F, "paused", None, PAUSE),
    Scenario("alone-risky", B, "risky", "ropes"),
    Scenario("alone-seen", B, "seen_by_child", False),
    Scenario("alone-shaky", B, "shaky_child", {"key": "alone", "fails": 1}),
    Scenario("alone-patient", B, "patient", None, (event("go", "went"),)),
    Scenario("alone-whoami", B, "whoami"),
    Scenario("drawn", F, "drawn"),
    Scenario("claim-over", F, "claim", None, (("release",), event("go"))),
    Scenario(
        "claim-rolled-back", F, "claim", None, (("rollback",), event("go")), begins_newer=True
    ),
    Scenario("patched-over", F, "patched", None, (("release",), event("go"))),
    Scenario("patched-newer", F, "patched", None, (event("go"),), begins_newer=True),
    Scenario(
        "patched-rolled-back", F, "patched", None, (("rollback",), event("go")), begins_newer=True
    ),
)

_C = "caller"
LESSONS = (
    Scenario("greeted", "hello-service", "greet_team", ["Ada"]),
    Scenario(
        "mailed",
        "tester",
        "send_one",
        {"recipient": "a@example.com", "subject": "s", "body": "b"},
    ),
    Scenario("stamped", "tester", "stamp_it"),  # fails: an activity has no clock
    Scenario("as-dict", "sender", "send", "dict"),
    Scenario("as-dataclass", "sender", "send", "dataclass"),
    Scenario("as-model", "sender", "send", "Pydantic"),
    Scenario("received", "receiver", "send", "dict"),
    Scenario("clocks", "orders", "clocks", "o-0"),
    Scenario("ordered", "orders", "order", "o-1"),
    Scenario("approved", "approvals", "approval", None, (event("approved"),)),
    Scenario("four-eyes", "desk", "four_eyes", None, (event("approval", 1), event("approval", 2))),
    Scenario("asked", "desk", "ask", None, (event("answer", {"a": 1}),)),
    Scenario("limited", "desk", "limited", 1),
    Scenario(
        "careful",
        "desk",
        "watch",
        {"each": 2, "noted": 0, "save": True},
        (("suspend",), *(event("change", c) for c in "abcde"), ("resume",)),
    ),
    Scenario(
        "lossy",
        "desk",
        "watch",
        {"each": 2, "noted": 0, "save": False},
        (("suspend",), *(event("change", c) for c in "abcde"), ("resume",)),
    ),
    Scenario("offered", "desk", "offer", ["ada", "bo"], (event("answer"),)),
)
CHILDREN = (
    Scenario("parent", _C, "parent", "/"),  # a gate that is open
    Scenario("child-alone", "target", "child", "/"),
)
_WORK = {"app": "target", "name": "work"}
REACH = (
    Scenario("activity", _C, "activity", _WORK),
    Scenario("child", _C, "child", {**_WORK, "name": "work_in_a_child"}),
    Scenario("misspelt", _C, "child", _WORK),
    Scenario("absent", _C, "activity", {**_WORK, "app": "nobody"}),
    Scenario("in-a-child", "target", "work_in_a_child"),
)
FAILURES = (
    Scenario("raises", _C, "attempt", {"app": "target", "activity": "raises"}),
    Scenario("refuses", _C, "attempt", {"app": "target", "activity": "refuses"}),
    Scenario("raced", _C, "race", {"app": "target", "activity": "raises"}),
    Scenario(
        "slow",
        _C,
        "race",
        {"app": "target", "activity": "slow"},
        only_real="an activity takes no time in process",
    ),
    Scenario("watched", _C, "watched", {"app": "target", "activity": "refuses"}),
    Scenario("hands-off", _C, "hands_off", {"app": "target", "activity": "refuses"}),
    Scenario("by-http", _C, "by_http", {"app": "target", "activity": "raises"}),
)
EVIDENCE = (Scenario("place-order", "order-service", "place_order", {"amount": 5}),)
IN_FLIGHT = (
    Scenario("waits", "orders", "order", "waits"),
    Scenario("approved", "approvals", "approval", None, (event("approved"),)),
)
_D = "order-desk"
OVERLOAD = (
    Scenario("order", _D, "order", {"to": "ines@example.com"}),
    Scenario("jitter", _D, "order_with_jitter", {"to": "omar@example.com", "first": 0.1,
             "factor": 2.0, "longest": 1.0, "attempts": 2}),
    Scenario("room", _D, "order_if_there_is_room", {"to": "ada@example.com", "most": 1}),
    Scenario("no-room", _D, "order_if_there_is_room", {"to": "ada@example.com", "most": 0}),
    Scenario("all", _D, "order_all", {"recipients": ["a@example.com", "b@example.com"], "rest": 1}),
    Scenario("count", _D, "count", ["a@example.com"]),
)  # fmt: skip
LEFT_OUT = {
    "01-why-multi-app-workflows": "its services look for a sidecar while they are loaded",
    "06-a-service-with-its-own-needs": "two calls of the model, as in task_with_priority",
    "08-stores-and-manifests": "the workflows of lesson 07",
    "18-run-it-in-kubernetes": "one activity, and the calls of lesson 07, in apps of manifests",
    "19-who-may-call-whom": "what it teaches is refused by a sidecar, which is not in process",
}
"""Lessons that write services and have no scenario, and why."""

DEPLOYMENTS = (
    Deployment("programs", DATA / "programs" / "dapr.yaml", PROGRAMS, True),
    Deployment("tasks", SERVICES / "dapr.yaml", TASKS),
    Deployment("escalation", SERVICES / "escalation" / "dapr.yaml", ESCALATION),
    Deployment("fulfilment", SERVICES / "fulfilment" / "dapr.yaml", FULFILMENT),
    Deployment("overload", SERVICES / "overload" / "dapr.yaml", OVERLOAD),
    Deployment("in-flight", SERVICES / "in-flight" / "dapr.yaml", IN_FLIGHT),
    Deployment("centralised", SERVICES / "patterns" / "centralised" / "dapr.yaml", CENTRALISED),
    Deployment("domains", SERVICES / "patterns" / "domain-specific" / "dapr.yaml", DOMAINS),
    Deployment(
        "lessons",
        deployed(
            "00-start-here",
            "02-build-the-notification-service",
            "03-call-remote-activities",
            "05-change-running-workflows",
            "11-wait-for-people-and-the-world",
        ),
        LESSONS,
    ),
    Deployment("children", deployed("04-call-child-workflows"), CHILDREN),
    Deployment("reach", deployed("07-reach-the-other-app"), REACH),
    Deployment("failures", deployed("09-when-a-remote-app-fails"), FAILURES),
    Deployment("evidence", deployed("14-debug-by-evidence"), EVIDENCE),
    Deployment("gateway", SERVICES / "patterns" / "gateway" / "dapr.yaml", GATEWAY),
)
