"""The status of the task follows what audit-service answers, whatever its rule is."""

from labkit.exercises.cases import AUDIT, Case
from labkit.exercises.observations import (
    Check,
    as_before,
    ended,
    mailed,
    ordered,
    origin,
    rows_of,
    says,
)

WORKFLOW, AUDITS = "task_with_audit", "compliance_audit_workflow"


def steps(lab):
    good, bad = (Case(lab, name, WORKFLOW) for name in ("good", "bad"))
    yield ordered(good)
    yield ordered(bad)
    yield from wished(good, bad)


def counter(trial):
    domain = f"{trial.draw.word()}.org"  # the rule of the compliance team changes
    trial.lab(own={AUDIT: {"COMPANY_DOMAIN": domain}})
    good, bad = (
        trial.order(assignee_email=e) for e in (trial.draw.email(domain), trial.draw.email())
    )
    yield from wished(good, bad)


def wished(good, bad):
    yield ended(good, id="ends")
    yield ended(bad, id="ends")
    for case, compliant in ((good, True), (bad, False)):
        yield Check(
            "audit",
            f"the audit of {'a compliant' if compliant else 'the other'} task completes",
            f"completed, compliant: {compliant}",
            lambda case=case: "; ".join(found(audit) for audit in audits(case)) or "no audit",
            "lab.run(ID).history.children",
        )
    yield says(good, "completed", "status", id="good", checked="a compliant task is completed")
    yield says(bad, "held", "status", id="held", checked="a task that is not compliant is held")
    yield from alerts(good, bad)
    for case in (good, bad):
        yield mailed(case, id="before")
        checked = "the output has the answer of the audit"
        yield says(case, audits(case)[-1].value, "audit", id="before", checked=checked)
        yield from as_before(case)


def audits(case):
    return [s for s in case.steps(AUDITS, AUDIT) if s.kind == "child"]


def found(audit):
    value = audit.value if isinstance(audit.value, dict) else {}
    reason = f": {audit.failure.message}" if audit.failure else ""
    return f"{audit.outcome}{reason}, compliant: {value.get('compliant')}"


def alerts(good, bad):
    for case, expected in ((bad, f"1 alert from {AUDIT}"), (good, "0 alerts")):
        yield Check(
            "alert",
            f"{AUDIT} raises {expected.partition(' from')[0]} for the task that is "
            + ("held" if case is bad else "completed"),
            expected,
            lambda case=case: origin(case, "alert", keys(case)),
            f'lab.ledger("{AUDIT}", "alerts")',
        )


def keys(case):
    rows = rows_of(case.lab, AUDIT, "alerts")
    return [str(row["key"]) for row in rows if row["task_id"] == case.order["task_id"]]
