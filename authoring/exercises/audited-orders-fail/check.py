"""The audit is a child workflow in audit-service that records, checks and answers."""

from labkit.exercises.cases import AUDIT
from labkit.exercises.observations import Check, as_before, ended, mailed, origin, rows_of, says

CHANGED = ("compliance_audit_workflow",)  # a repair may change the name on either side
INSIDE = ("log_audit_event", "check_compliance_rules")
OUTSIDE = (*INSIDE, "raise_compliance_alert")


def wished(case, activities=INSIDE):
    yield ended(case)
    yield mailed(case)
    yield Check(
        "audited",
        f"a child workflow in {AUDIT} runs its activities",
        ", ".join(activities),
        lambda: ", ".join(a for a in activities if a in done(case)) or "none of them",
        f"lab.run({case.instance_id!r}).history.children",
    )
    yield Check(
        "recorded",
        f"{AUDIT} records the order once",
        f"1 record from {AUDIT}",
        lambda: origin(case, "record", keys(case)),
        f"lab.ledger({AUDIT!r}, 'events')",
    )
    answer = activities == INSIDE
    yield says(case, answer, "audit", "compliant", checked="the output says if it is compliant")


def done(case):
    """The activities that a workflow in audit-service has completed for this order."""
    runs = [run for run in case.history.walk() if run.app_id == AUDIT]
    return {s.name for run in runs for s in run.own_steps() if s.outcome == "completed"}


def keys(case):
    rows = rows_of(case.lab, AUDIT, "events")
    return [row["key"] for row in rows if row["task_id"] == task_of(case)]


def alerted(case, expected):
    rows = rows_of(case.lab, AUDIT, "alerts")
    return Check(
        "alert",
        f"{AUDIT} raises one alert where the audit finds a violation, else none",
        expected,
        lambda: origin(case, "alert", [r["key"] for r in rows if r["task_id"] == task_of(case)]),
        f"lab.ledger({AUDIT!r}, 'alerts')",
    )


def task_of(case):
    return case.order.get("task_id")


def counter(trial):
    domain = f"{trial.draw.word()}.example"  # the rule is that of audit-service, whatever it says
    trial.lab(own={AUDIT: {"COMPANY_DOMAIN": domain}})
    for email, activities in (
        (trial.draw.email(domain), INSIDE),
        (trial.draw.email(), OUTSIDE),
    ):
        case = trial.order(assignee_email=email)
        yield from wished(case, activities)
        yield alerted(case, "0 alerts" if activities == INSIDE else f"1 alert from {AUDIT}")
        yield from as_before(case, CHANGED)
