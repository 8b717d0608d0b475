"""A worker of audit-service is connected after each start, and orders get their audit."""

from contextlib import suppress

from labkit.errors import StartError
from labkit.exercises.cases import AUDIT, NOTIFICATIONS, ORCHESTRATOR, Case, part
from labkit.exercises.observations import Check, as_before, ended, mailed, ordered

READY_SECONDS = 8.0
WORKFLOW = "task_with_audit"


def steps(lab):
    case = Case(lab, "order", WORKFLOW)
    yield connected(lab)
    yield ordered(case)
    yield from wished(case)


def wished(case):
    yield ended(case)
    yield Check(
        "audit",
        "the order has an audit of its own, which is done",
        f"audited by {AUDIT}, of this task",
        lambda: audited(case),
        f"lab.run({case.instance_id!r}).history.children; lab.ledger({AUDIT!r}, 'events')",
    )
    yield mailed(case)
    yield from as_before(case)


def counter(trial):
    lab = trial.lab(ORCHESTRATOR, NOTIFICATIONS)
    yield connected(lab, start=True)
    yield from wished(trial.order())
    lab.kill(AUDIT, "worker")
    yield connected(lab, start=True, again=True)
    yield from wished(trial.order())


def connected(lab, start=False, again=False):
    def observe():
        if start:
            with suppress(StartError):  # whether a worker is connected is asked next
                lab.up(AUDIT, within=READY_SECONDS, announce=False)
        return lab.app(AUDIT).connected_workers()

    return Check(
        "worker",
        f"a worker of {AUDIT} is connected to its sidecar" + " after a kill" * again,
        1,
        observe,
        f"lab.status(), and the last lines of lab.app({AUDIT!r}).logs()",
    )


def audited(case):
    """What the child's own history in audit-service is about, and what it answered."""
    runs = [run for run in case.history.walk() if run.app_id == AUDIT]
    begun = [e for run in runs for e in run.events if e.kind == "executionStarted"]
    done = [s for s in case.steps("log_audit_event", AUDIT) if s.outcome == "completed"]
    if not begun or not done:
        return "no audit"
    task = part(begun[0].argument, "task_id")
    mine = task == case.order.get("task_id")
    return f"audited by {AUDIT}, of {'this task' if mine else task}"
