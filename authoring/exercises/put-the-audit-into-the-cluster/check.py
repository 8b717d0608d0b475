"""The audit of an order runs in audit-service, from manifests that a cluster would take."""

from labkit.exercises.cases import AUDIT
from labkit.exercises.observations import Check, besides, ended, mailed
from labkit.preflight import inspect

AUDITS = "compliance_audit_workflow"
OTHERS = ("task_processing_multi_app",)


def wished(case):
    yield applied(case)
    yield ended(case)
    audited = Check(
        "audit",
        f"the audit is a child workflow in {AUDIT}",
        "completed",
        lambda: ", ".join(str(s.outcome) for s in audits(case)) or "no audit",
        'lab.run("order").history.children',
    )
    yield audited if case.is_own else besides(audited, lambda: without_rules(case))
    yield mailed(case)


def without_rules(case):
    """Whether the service has what its ConfigMap says; by itself it takes the same domain."""
    domain = case.lab.app(AUDIT).spec.env.get("COMPANY_DOMAIN", "missing")
    return "" if domain == "example.com" else f"COMPANY_DOMAIN is {domain} in {AUDIT}"


def audits(case):
    return [s for s in case.steps(AUDITS, AUDIT) if s.kind == "child"]


def applied(case):
    """What preflight finds broken, without the names of files, which differ in each lab."""
    folder = case.lab.app("task-orchestrator-service").shared.run_file
    return Check(
        "manifests",
        "preflight finds nothing broken in the manifests",
        "nothing broken",
        lambda: (
            "; ".join(f.why for f in inspect([folder]) if f.state == "broken") or "nothing broken"
        ),
        "./lab preflight with the folder of the manifests",
    )
