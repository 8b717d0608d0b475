"""What has completed leaves the store in every app, so orders go on hour after hour."""

from collections import Counter
from contextlib import suppress

from labkit.errors import ObservationError
from labkit.exercises.cases import Case
from labkit.exercises.observations import (
    Check,
    MomentMissed,
    besides,
    came_true,
    ordered,
    rows_of,
)
from labkit.history import instance_ids_of
from labkit.waiting import patience

HOURS, AN_HOUR = 6, 4
SECONDS = 6.0
APPS = ("orders", "approvals")
WORK = {"orders": "check", "approvals": "read", "payments": "charge"}
ACTIVITIES = "dapr_runtime_workflow_activity_execution_count"
WORKFLOWS = "dapr_runtime_workflow_execution_count"
FULL, NOT_THERE = "database or disk is full", "not there"


def steps(lab):
    names = [f"order-{number}" for number in range(HOURS * AN_HOUR)]
    yield from wished(Case(lab, "order-bad", "order"), names)


def wished(bad, names):
    yield charged(bad.lab, names)
    yield gone(bad)
    yield besides(kept(bad), lambda: removed_later(bad))
    yield ordered(bad)


def counter(trial):
    lab = trial.lab()
    bad = placed(trial, trial.draw.instance_id(), 0)
    names = [trial.draw.instance_id() for _ in range(HOURS * AN_HOUR)]
    emptied = True
    for first in range(0, len(names), AN_HOUR):
        with suppress(ObservationError):  # refused, so it is not charged
            for name in names[first : first + AN_HOUR]:
                placed(trial, name, trial.draw.number(1, 99))
        if not all_charged(lab, names[: first + AN_HOUR]):
            break
        emptied = emptied and nothing_left(bad)
    yield from wished(bad, names)
    yield besides(worked(lab, len(names)), lambda: not_approved(lab, len(names)))


def all_charged(lab, names):
    """Wait until each order is charged; return whether it is."""
    return came_true(lambda: all(charges(lab, names).values()), SECONDS * patience())


def nothing_left(bad):
    """Wait until all is removed that has not failed; return whether it is."""
    return came_true(lambda: not any(left(bad).values()), SECONDS * patience())


def placed(trial, name, amount):
    return trial.order(given={"order": name, "amount": amount}, instance_id=name)


def failed(bad):
    """For each app what failed there: the order, and its approval."""
    return {"orders": bad.instance_id, "approvals": f"approval-{bad.instance_id}"}


def left(bad):
    """For each app what it has besides the order that failed and its approval."""
    apps = [bad.lab.app(app_id) for app_id in APPS]
    found = {a.app_id: instance_ids_of(a.grpc_address, a.shared.token) for a in apps}
    return {app_id: set(ids) - set(failed(bad).values()) for app_id, ids in found.items()}


def removed_later(bad):
    """Say where what failed will be removed: a policy leaves a reminder with the scheduler."""
    apps = [name for name, id in failed(bad).items() if is_due(bad.lab, name, id)]
    return f"but {' and '.join(apps)} will remove it later, by a policy" if apps else ""


def is_due(lab, app_id, instance_id):
    """Whether the store of the scheduler has a reminder to remove an instance."""
    key = f"{app_id}.retentioner||{instance_id}||".encode()
    files = [file for file in (lab.folder / "scheduler").rglob("*") if file.is_file()]
    return any(key in file.read_bytes() for file in files)


def charges(lab, names):
    """How often each order was charged."""
    found = Counter(row["order_id"] for row in rows_of(lab, "payments", "charges"))
    return {name: found[name] for name in names}


# --- what is observed --------------------------------------------------------------------------


def charged(lab, names):
    """Every order is charged once."""
    words = {0: "not charged", 1: "charged once"}

    def observe():
        found = charges(lab, names)
        if never_placed(lab, found):
            raise MomentMissed(
                "some orders were never placed",
                asked=f"{len(names)} orders, hour after hour",
                found="no order stands still, none was refused, and all that began are charged",
                look_at='lab.ledger("payments", "charges")',
                fix="run the scenario again; on a busy machine, when less runs",
            )
        counts = Counter(found.values())
        return ", ".join(
            f"{many} {words.get(count, 'charged more than once')}"
            for count, many in sorted(counts.items(), reverse=True)
        )

    return Check(
        "charged",
        "the orders of all hours are charged, each once",
        f"{len(names)} charged once",
        observe,
        'lab.ledger("payments", "charges"); the logs of the sidecars',
    )


def never_placed(lab, found):
    """Whether what is not charged was never there: it neither stands still, nor was it refused."""
    missing = [name for name, count in found.items() if not count]
    with suppress(ObservationError):
        begun = activities(lab, "orders") - 1
        if not missing or begun > len(found) - len(missing):
            return False
        is_full = any(FULL in lab.app(app_id).logs("sidecar") for app_id in APPS)
        return not is_full and not any(status(lab, n) != NOT_THERE for n in missing)
    return False


def status(lab, instance_id):
    """The status of an instance, also when no app knows it."""
    try:
        return lab.run(instance_id).status
    except ObservationError as problem:
        if problem.code == "instance-unknown":
            return NOT_THERE
        raise


def gone(bad):
    """Nothing that has completed is left."""

    def observe():
        nothing_left(bad)
        return ", ".join(f"{app_id}: {len(ids) or 'none'}" for app_id, ids in left(bad).items())

    return Check(
        "gone",
        "how many instances orders and approvals still have, besides those that failed",
        "orders: none, approvals: none",
        observe,
        "labkit.history.instance_ids_of, of each app",
    )


def kept(bad):
    """What failed can still be read, in both apps."""
    lab = bad.lab
    return Check(
        "kept",
        "the order that failed, and its approval, are kept",
        "orders: FAILED, approvals: FAILED",
        lambda: ", ".join(f"{app_id}: {status(lab, name)}" for app_id, name in failed(bad).items()),
        f"lab.run({bad.instance_id!r}).history",
    )


def worked(lab, orders):
    """Each order was checked, approved and charged, as the sidecars have counted."""
    wanted = {"orders": orders + 1, "approvals": orders, "payments": orders}

    def observe():
        found = {app_id: activities(lab, app_id) for app_id in WORK}
        return ", ".join(f"{WORK[app_id]} {count}" for app_id, count in found.items())

    return Check(
        "worked",
        "how often check, read and charge succeeded, as their sidecars have counted",
        ", ".join(f"{WORK[app_id]} {count}" for app_id, count in wanted.items()),
        observe,
        "lab.app(ID).metrics(): dapr_runtime_workflow_activity_execution_count",
    )


def not_approved(lab, orders):
    """Say that fewer approvals than orders have completed in approvals; "" when all have."""
    count = counted(lab, "approvals", WORKFLOWS, 'workflow_name="approval"')
    return "" if count >= orders else f"and {count} approvals completed in approvals"


def activities(lab, app_id):
    """How often the activity of an app succeeded."""
    return counted(lab, app_id, ACTIVITIES, f'activity_name="{WORK[app_id]}"')


def counted(lab, app_id, metric, name):
    """How often the sidecar of an app saw an activity or a workflow succeed."""
    parts = (f"{metric}{{", name, 'status="success"')
    lines = lab.app(app_id).metrics().splitlines()
    found = [line for line in lines if all(part in line for part in parts)]
    return sum(int(float(line.rpartition(" ")[2])) for line in found)
