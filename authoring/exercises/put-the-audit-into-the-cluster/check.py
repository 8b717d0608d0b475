"""The audit of an order runs in audit-service, from manifests that a cluster would take."""

from labkit.exercises.cases import AUDIT
from labkit.exercises.observations import Check, ended, mailed
from labkit.preflight import inspect

AUDITS = "compliance_audit_workflow"
OTHERS = ("task_processing_multi_app",)


def wished(case):
    yield applied(case)
    yield ended(case)
    yield Check(
        "audit",
        f"the audit is a child workflow in {AUDIT}",
        "completed",
        lambda: ", ".join(str(s.outcome) for s in audits(case)) or "no audit",
        'lab.run("order").history.children',
    )
    yield mailed(case)


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
