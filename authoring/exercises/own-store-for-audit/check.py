"""audit-service keeps its workflows in auditstore, in a database that no other app uses."""

from labkit.exercises.cases import AUDIT, NOTIFICATIONS, ORCHESTRATOR, Case, part
from labkit.exercises.observations import (
    Check,
    as_before,
    databases,
    ended,
    in_memory,
    keep_workflows,
    kept_in,
    mailed,
    ordered,
    sidecars_run,
)

OTHER_APPS = (ORCHESTRATOR, NOTIFICATIONS)
CHILD = "compliance_audit_workflow"


def steps(lab):
    yield from wished(Case(lab, "order", "task_with_audit"))


def counter(trial):
    lab = trial.lab()
    case = trial.order()
    yield from wished(case)
    yield Check(
        "database",
        "the sidecars of the other apps do not use the database of auditstore",
        "none is shared",
        lambda: shared(lab),
        "connectionString of both components",
    )
    yield Check(
        "disk",
        "the stores of the other apps are on disk, as before",
        "on disk",
        lambda: on_disk(case),
        "components: the type of the store of the other apps",
    )
    lab.kill(AUDIT)
    lab.up(AUDIT, announce=False)
    yield Check(
        "kept",
        "after a restart of audit-service its sidecar still knows the audit",
        "COMPLETED",
        lambda: status_of_audit(case),
        "components: the type of auditstore",
    )


def wished(case):
    lab = case.lab
    yield sidecars_run(lab)
    yield Check(
        "others",
        "the two other apps do not have auditstore",
        "auditstore in none of them",
        lambda: "; ".join(
            f"{app_id}: {', '.join(components(lab, app_id))}" for app_id in OTHER_APPS
        ),
        'lab.app("notification-service").metadata()["components"]',
        lambda _: not any("auditstore" in components(lab, app_id) for app_id in OTHER_APPS),
    )
    yield Check(
        "audit",
        "audit-service has the component auditstore and no other",
        ["auditstore"],
        lambda: components(lab, AUDIT),
        f'lab.app("{AUDIT}").metadata()["components"]',
    )
    yield keep_workflows(lab, AUDIT)
    yield ordered(case)
    yield ended(case)
    yield mailed(case)
    yield from as_before(case)
    yield Check(
        "answer",
        "the output holds the answer of the audit",
        "the value of the child",
        lambda: answer(case),
        f"lab.run({case.instance_id!r}).output",
    )


def components(lab, app_id):
    return sorted(c["name"] for c in lab.app(app_id).metadata().get("components", []))


def audit_of(case):
    return next(s for s in case.steps(CHILD, AUDIT) if s.outcome == "completed")


def answer(case):
    audit = part(case.output, "audit")
    return "the value of the child" if audit == audit_of(case).value else audit


def shared(lab):
    used = {file for app_id in OTHER_APPS for file in databases(lab, app_id)}
    return ", ".join(f.name for f in databases(lab, AUDIT) if f in used) or "none is shared"


def on_disk(case):
    if not kept_in(case):
        return "no file holds the history of the order"
    lab = case.lab
    without = [a for a in OTHER_APPS if not databases(lab, a) or in_memory(lab, a)]
    return f"{', '.join(without)}: in no database file" if without else "on disk"


def status_of_audit(case):
    return case.lab.run(audit_of(case).child_instance_id).settle()
