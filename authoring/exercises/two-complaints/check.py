"""Pushes reach their user, audits find nothing, and the rules of the audit are as they were."""

import json
from datetime import datetime

from labkit.exercises.cases import AUDIT, Case
from labkit.exercises.observations import (
    Check,
    as_before,
    besides,
    ended,
    mailed,
    ordered,
    pushed,
    rows_of,
)

AUDITS = "compliance_audit_workflow"
PUSHED, AUDITED = "task_processing_multi_app", "task_with_audit"
OTHERS = ("resilient_task_processing", "task_with_fallback")


def steps(lab):
    order, audited = Case(lab, "order", PUSHED), Case(lab, "audited", AUDITED)
    yield ordered(order)
    yield ordered(audited)
    yield from wished(order, audited)


def counter(trial):
    lab = trial.lab()
    yield from wished(trial.order(PUSHED), trial.order(AUDITED))
    outside = trial.order(AUDITED, assignee_email=trial.draw.email("elsewhere.example.org"))
    yield ended(outside)
    alert = Check(
        "alert",
        "an audit of somebody outside the company still finds that, and that alone",
        ["actor is not at example.com"],
        lambda: violations(outside),
        f"lab.ledger({AUDIT!r}, 'alerts')",
    )
    yield besides(alert, lambda: fewer_rules(lab, trial.draw))


def fewer_rules(lab, draw):
    """Say that an audit of what breaks all three rules finds fewer; "" when it finds them."""
    given = {"task_id": draw.task_id(), "action": draw.word(), "actor": draw.email("example.org")}
    case = Case(lab, draw.instance_id(), AUDITS, given)
    client = lab.client(AUDIT)
    client.schedule_new_workflow(AUDITS, input=given, instance_id=case.instance_id)
    found = violations(case) if case.settled() == "COMPLETED" else []
    if case.run.status == "FAILED" or len(found) >= 3:
        return ""
    return f"and an audit of what breaks all three rules finds only {found}"


def wished(order, audited):
    yield ended(order)
    yield ended(audited)
    yield Check(
        "compliant",
        "the audit of the order finds nothing",
        [],
        lambda: violations(audited),
        f"lab.ledger({AUDIT!r}, 'alerts'); lab.run({audited.instance_id!r}).history.children",
    )
    yield Check(
        "recorded",
        "the audit has recorded when the task was assigned",
        "the time of the order",
        lambda: recorded(audited),
        f"lab.ledger({AUDIT!r}, 'events')",
    )
    yield pushed(order)
    yield mailed(order)
    yield from as_before(order)
    yield from as_before(audited)


def violations(case):
    """What the audit of this task has found, by the ledger of the audit."""
    rows = [r for r in rows_of(case.lab, AUDIT, "alerts") if r["key"] in keys(case)]
    return [words for row in rows for words in json.loads(row["violations"])]


def recorded(case):
    """Compare the time in the ledger with the history; the workflow's clock is its turn's."""
    rows = [r for r in rows_of(case.lab, AUDIT, "events") if r["key"] in keys(case)]
    if not rows or not rows[-1]["timestamp"]:
        return f"{rows[-1]['timestamp'] if rows else 'no row'}"
    seen = datetime.fromisoformat(str(rows[-1]["timestamp"])).replace(tzinfo=None)
    events = case.history.events
    # The turn that calls the audit has begun before this event, and the audit begins after it.
    calls = [e for e in events if e.kind == "childWorkflowInstanceCreated"]
    called = next((e for e in calls if e.target_app_id == AUDIT), events[-1])
    first, last = (e.time.replace(tzinfo=None) for e in (events[0], called))
    return "the time of the order" if first <= seen <= last else f"another time: {seen}"


def keys(case):
    """The keys of the steps of this order in audit-service."""
    return {s.task_execution_id for s in case.steps(app_id=AUDIT)}
