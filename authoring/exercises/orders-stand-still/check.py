"""What has completed leaves the store in every app, so orders go on hour after hour."""

from collections import Counter
from contextlib import suppress

from labkit.errors import ObservationError
from labkit.exercises.cases import Case
from labkit.exercises.observations import Check, came_true, ordered, rows_of
from labkit.history import instance_ids_of
from labkit.waiting import patience

HOURS, AN_HOUR = 6, 4
SECONDS = 6.0
APPS = ("orders", "approvals")
WORK = {"orders": "check", "approvals": "read", "payments": "charge"}


def steps(lab):
    names = [f"order-{number}" for number in range(HOURS * AN_HOUR)]
    yield from wished(Case(lab, "order-bad", "order"), names)


def wished(bad, names):
    yield charged(bad.lab, names)
    yield gone(bad)
    yield kept(bad)
    yield ordered(bad)


def counter(trial):
    lab = trial.lab()
    bad, names = placed(trial, trial.draw.instance_id(), 0), []
    emptied = True
    for _ in range(HOURS):
        names += [trial.draw.instance_id() for _ in range(AN_HOUR)]
        with suppress(ObservationError):  # refused, so it is not charged
            for name in names[-AN_HOUR:]:
                placed(trial, name, trial.draw.number(1, 99))
        if not all_charged(lab, names):
            break
        emptied = emptied and nothing_left(bad)
    yield from wished(bad, names)
    yield worked(lab, len(names))


def all_charged(lab, names):
    """Wait until each order is charged; return whether it is."""
    return came_true(lambda: all(charges(lab, names).values()), SECONDS * patience())


def nothing_left(bad):
    """Wait until all is removed that has not failed; return whether it is."""
    return came_true(lambda: not any(left(bad).values()), SECONDS * patience())


def placed(trial, name, amount):
    return trial.order(given={"order": name, "amount": amount}, instance_id=name)


def left(bad):
    """For each app what it has besides the order that failed and its approval."""
    failed = {bad.instance_id, f"approval-{bad.instance_id}"}
    apps = [bad.lab.app(app_id) for app_id in APPS]
    found = {a.app_id: instance_ids_of(a.grpc_address, a.shared.token) for a in apps}
    return {app_id: set(ids) - failed for app_id, ids in found.items()}


def charges(lab, names):
    """How often each order was charged."""
    found = Counter(row["order_id"] for row in rows_of(lab, "payments", "charges"))
    return {name: found[name] for name in names}


# --- what is observed --------------------------------------------------------------------------


def charged(lab, names):
    """Every order is charged once."""
    words = {0: "not charged", 1: "charged once"}

    def observe():
        counts = Counter(charges(lab, names).values())
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
    failed = {"orders": bad.instance_id, "approvals": f"approval-{bad.instance_id}"}

    def status(instance_id):
        try:
            return bad.lab.run(instance_id).status
        except ObservationError as problem:
            if problem.code == "instance-unknown":
                return "not there"
            raise

    return Check(
        "kept",
        "the order that failed, and its approval, are kept",
        "orders: FAILED, approvals: FAILED",
        lambda: ", ".join(f"{app_id}: {status(name)}" for app_id, name in failed.items()),
        f"lab.run({bad.instance_id!r}).history",
    )


def worked(lab, orders):
    """Each order was checked, approved and charged, as the sidecars have counted."""
    wanted = {"orders": orders + 1, "approvals": orders, "payments": orders}

    def observe():
        return ", ".join(f"{WORK[app_id]} {done(lab, app_id)}" for app_id in WORK)

    return Check(
        "worked",
        "how often check, read and charge succeeded, as their sidecars have counted",
        ", ".join(f"{WORK[app_id]} {count}" for app_id, count in wanted.items()),
        observe,
        "lab.app(ID).metrics(): dapr_runtime_workflow_activity_execution_count",
    )


def done(lab, app_id):
    """How often the sidecar of an app saw its activity succeed."""
    counted = "dapr_runtime_workflow_activity_execution_count{"
    parts = (counted, f'activity_name="{WORK[app_id]}"', 'status="success"')
    lines = lab.app(app_id).metrics().splitlines()
    found = [line for line in lines if all(part in line for part in parts)]
    return sum(int(float(line.rpartition(" ")[2])) for line in found)
