"""Orders are charged with their discount and get a receipt, whichever replica does the work."""

import os
from collections import Counter

from labkit.exercises.cases import Case
from labkit.exercises.observations import Check, came_true, ordered, origin, rows_of
from labkit.waiting import patience

MANY = 24
READY_SECONDS = 30.0
END_SECONDS = 30.0
TODAY = """\
import os
import runpy

with open(os.environ["LEDGER"] + ".{noted}", "a") as ran:
    ran.write(os.environ["DAPR_GRPC_PORT"] + "\\n")
runpy.run_path({main!r}, run_name="__main__")
"""
"""A release that nobody knew until now: it notes which replica runs it, and is main.py else."""


def steps(lab):
    cases = [Case(lab, f"order-{number}", "order") for number in range(MANY)]
    yield ordered(cases[0])
    yield from wished(cases)


def wished(cases):
    yield all_ended(cases)
    yield discounts(cases)
    yield receipts(cases)
    yield no_failed_call(cases)
    yield checked_first(cases)
    yield both_work(cases[0].lab)


def counter(trial):
    lab = trial.lab("orders")
    release = lab.folder / f"{trial.draw.word()}.py"
    healthy = {edit.file: edit.put for edit in trial.exercise.healthy}
    release.write_text(healthy["payments/yesterday.py"], "utf-8")
    name_release(lab, release)
    lab.up("payments#1", within=READY_SECONDS * patience(), announce=False)
    noted, main = trial.draw.word(), str(trial.exercise.work / "payments" / "main.py")
    # A release may have the name of the one before, and need not be newer than what is kept.
    release.write_text(TODAY.format(noted=noted, main=main), "utf-8")
    os.utime(release, (0, 0))
    lab.stop("payments#1", "worker", announce=False)
    lab.up(within=READY_SECONDS * patience(), announce=False)
    cases = [trial.order(given=bill(trial.draw)) for _ in range(MANY)]
    yield from wished(cases)
    yield named(lab, noted)


def bill(draw):
    return {
        "order": draw.instance_id(),
        "amount": draw.number(20, 99),
        "discount": draw.number(1, 9),
    }


def name_release(lab, program):
    """Let the next start of a replica of payments be of this release."""
    file = ledger(lab, "release")
    file.parent.mkdir(exist_ok=True)
    file.write_text(str(program))


def named(lab, noted):
    """Each replica runs the release that is named now."""

    def observe():
        file = ledger(lab, noted)
        ran = file.read_text().split() if file.exists() else []
        others = [app.name for app in lab.replicas("payments") if port(app) not in ran]
        return f"{' and '.join(others)} ran another one" if others else "each ran it"

    return Check(
        "named",
        "each replica runs the release that is named, also one with the name of the one before",
        "each ran it",
        observe,
        "payments/start.sh, and lab.folder / 'ledgers': the release, and what each machine keeps",
    )


def port(app):
    return app.grpc_address.rpartition(":")[2]


def ledger(lab, suffix):
    return lab.folder / "ledgers" / f"payments.sqlite.{suffix}"


# --- what is observed --------------------------------------------------------------------------


def all_ended(cases):
    """Every order is completed."""

    def observe():
        came_true(lambda: all(case.run.has_ended for case in cases), END_SECONDS * patience())
        return listed(Counter(case.run.status for case in cases))

    return Check(
        "ended",
        f"{MANY} orders after the deployment end with COMPLETED",
        f"{MANY} COMPLETED",
        observe,
        "lab.run(ID).failure of an order that failed, and lab.run(ID).history",
    )


def discounts(cases):
    """Every order is charged once, with its discount."""

    def observe():
        rows = rows_of(cases[0].lab, "payments", "charges")
        return listed(Counter(charged(case, rows) for case in cases))

    return Check(
        "charged",
        "each order is charged once, by payments, with its discount",
        f"{MANY} with the discount",
        observe,
        'lab.ledger("payments", "charges"), and what charge answered in the history',
    )


def charged(case, rows):
    """Say how an order was charged: what the ledger holds, and what the history has of it."""
    given = case.order
    mine = [row for row in rows if row["order_id"] == given["order"]]
    done = {s.task_execution_id: s.value for s in case.steps("charge")}
    made = origin(case, "charge", [str(row["key"]) for row in mine])
    if made != "1 charge from payments":
        return made
    amount = next(row["amount"] for row in mine if row["key"] in done)
    full = given["amount"]
    words = {full - given["discount"]: "with the discount", full: "in full"}
    same = {"charged": amount} in done.values()
    return words.get(amount, "with another amount") if same else "not as charge answered"


def receipts(cases):
    """Every order has one receipt, sent by payments."""

    def observe():
        rows = rows_of(cases[0].lab, "payments", "receipts")
        made = Counter(
            origin(case, "receipt", [str(r["key"]) for r in rows if r["order_id"] == name])
            for case in cases
            for name in [case.order["order"]]
        )
        return ", ".join(f"{count} with {what}" for what, count in made.most_common())

    return Check(
        "receipts",
        "each order has one receipt, sent by payments",
        f"{MANY} with 1 receipt from payments",
        observe,
        'lab.ledger("payments", "receipts")',
    )


def no_failed_call(cases):
    """No call failed on the way, so none had to find another replica."""

    def observe():
        failed = sum(s.outcome == "failed" for case in cases for s in case.steps())
        return f"{failed} failed" if failed else "none failed"

    return Check(
        "calls",
        "no call of these orders failed on the way",
        "none failed",
        observe,
        "lab.run(ID).history.own_steps(): their outcomes",
    )


def checked_first(cases):
    """Every order is still checked before it is charged."""

    def observe():
        return listed(Counter(first_steps(case) for case in cases))

    return Check(
        "before",
        "each order is still checked before it is charged",
        f"{MANY} checked, then charged",
        observe,
        "lab.run(ID).history.own_steps()",
    )


def first_steps(case):
    """Say whether an order was checked before it was charged."""
    checks = [s.ended for s in case.steps("check", "orders") if s.outcome == "completed"]
    began = [s.began for s in case.steps("charge")]
    in_time = checks and began and min(checks) <= min(began)
    return "checked, then charged" if in_time else "not checked before"


def both_work(lab):
    """Both replicas have done calls; else nobody knows what the other one would have done."""

    def observe():
        own = [app for app in lab.started_apps() if app.app_id == "payments"]
        return ", ".join(f"{app.name}: {'some' if has_worked(app) else 'none'}" for app in own)

    return Check(
        "replicas",
        "each replica of payments has done calls, as its sidecar counts",
        "payments#1: some, payments#2: some",
        observe,
        'app.metrics() for each app in lab.replicas("payments")',
        otherwise="unknown",
    )


def has_worked(app):
    """Whether a sidecar has counted an activity that was done."""
    counts = ("dapr_runtime_workflow_activity_execution_count", 'status="success"')
    return any(all(part in line for part in counts) for line in app.metrics().splitlines())


def listed(counts):
    """Say how often each was seen, the most frequent first."""
    return ", ".join(f"{count} {what}" for what, count in counts.most_common())
