"""Orders survive a replica that goes: all replicas load one release of the SDK, the one pinned."""

import subprocess
from collections import Counter
from itertools import takewhile
from pathlib import Path

import psutil

from labkit import versions
from labkit.exercises.cases import Case
from labkit.exercises.observations import Check, came_true, ordered, origin, rows_of
from labkit.flight import approve, bank_closed
from labkit.host.sdk import mirror
from labkit.waiting import patience

REFUSED, TAKEN = 10, 4
READY_SECONDS, ASKED_SECONDS, END_SECONDS = 30.0, 4.0, 30.0
LOADED = """\
from pathlib import Path
import dapr.ext.workflow
found = Path(dapr.ext.workflow.__file__).parents[3].glob("dapr-*.dist-info")
print(*(file.stem.partition("-")[2] for file in found))
"""


def steps(lab):
    cases = [Case(lab, f"order-{number}", "order") for number in range(12)]
    yield ordered(cases[0])
    yield from wished(cases)


def wished(cases):
    yield all_ended(cases)
    yield asked_in_time(cases)
    yield charged(cases)


def counter(trial):
    """Let the second replica be the older one, and go."""
    lab = trial.lab("approvals", "payments")
    packages = lab.folder / "ledgers" / "orders.sqlite.mirror"
    for when, name in (("last week", "orders#2"), ("yesterday", "orders#1")):
        mirror(packages, when)
        lab.up(name, within=READY_SECONDS * patience(), announce=False)
    replicas = sorted(lab.replicas("orders"), key=lambda app: app.name)
    loaded = ", ".join(f"{app.name}: {release_of(app)}" for app in replicas)
    with bank_closed(lab):
        pieces = [trial.draw.number(6, 9) for _ in range(REFUSED)]
        pieces += [trial.draw.number(1, 5) for _ in range(TAKEN)]
        cases = [placed(trial, count) for count in pieces]
        refused = [case for case in cases if is_refused(case)]
        came_true(lambda: all(has_asked(case) for case in refused), ASKED_SECONDS * patience())
        idle = [app.name for app in replicas if not has_worked(app)]
        lab.stop("orders#2", announce=False)
    within = END_SECONDS * patience()
    came_true(lambda: all(has_asked(case) or case.run.has_ended for case in refused), within)
    approve(lab, [case.instance_id for case in refused if has_asked(case)])
    yield both_work(idle)
    yield from wished(cases)
    yield packages_of(loaded)


def placed(trial, pieces):
    name = trial.draw.instance_id()
    given = {"order": name, "amount": trial.draw.number(20, 99), "pieces": pieces}
    return trial.order(given=given, instance_id=name)


def is_refused(case):
    return case.order["pieces"] > 5


def has_asked(case):
    """Whether a person was asked."""
    return bool(case.steps("approval", "approvals"))


def has_worked(app):
    """Whether a sidecar has counted a reservation."""
    counts = ("dapr_runtime_workflow_activity_execution_count{", '"reserve"')
    return any(all(part in line for part in counts) for line in app.metrics().splitlines())


def release_of(app):
    """Return the release of dapr that the service of a replica loads.

    Its Python is asked, in its folder and with its environment.
    """
    own = psutil.Process(app.process("worker").pid)
    for one in (own, *own.children(recursive=True)):
        program, *words = one.cmdline()
        if "python" in Path(program).name:
            options = takewhile(lambda w: w.startswith("-") and w not in ("-c", "-m"), words)
            asked = [program, *options, "-c", LOADED]
            done = subprocess.run(
                asked, cwd=one.cwd(), env=one.environ(), capture_output=True, text=True
            )
            return done.stdout.strip() or "none that can be loaded"
    return "no Python runs"


# --- what is observed --------------------------------------------------------------------------


def all_ended(cases):
    """Every order is completed, with what was charged."""

    def observe():
        came_true(lambda: all(case.run.has_ended for case in cases), END_SECONDS * patience())
        return listed(case.run.status for case in cases)

    return Check(
        "ended",
        f"{len(cases)} orders that were under way when a replica went end with COMPLETED",
        f"{len(cases)} COMPLETED",
        observe,
        "lab.run(ID).failure of an order that failed, and lab.run(ID).history",
    )


def asked_in_time(cases):
    """A person is asked as soon as the goods are refused, while the bank works, and only then."""
    wanted = listed("while the bank works" if is_refused(case) else "never" for case in cases)
    return Check(
        "asked",
        f"when a person is asked about {sum(map(is_refused, cases))} orders whose goods are refused"
        " (and never about others)",
        wanted,
        lambda: listed(map(when_asked, cases)),
        "lab.run(ID).history: the times of charge and approval",
    )


def when_asked(case):
    """Say when a person was asked, by the times of the call of the bank."""
    asked = [step.began for step in case.steps("approval", "approvals")]
    charges = case.steps("charge", "payments")
    if not asked:
        return "never"
    if not charges or min(step.began for step in charges) > min(asked):
        return "before the bank was called"
    ends = [step.ended for step in charges if step.ended]
    return "after the bank" if ends and min(ends) < min(asked) else "while the bank works"


def charged(cases):
    """Every order is charged once, by a step of its own, and says how much."""

    def observe():
        rows = rows_of(cases[0].lab, "payments", "charges")
        return listed(charge_of(case, rows) for case in cases)

    return Check(
        "charged",
        "each order is charged once, by payments, and its output is what was charged",
        f"{len(cases)} with 1 charge from payments",
        observe,
        'lab.ledger("payments", "charges"); lab.run(ID).output',
    )


def charge_of(case, rows):
    """Say how an order was charged."""
    name, amount = case.order["order"], case.order["amount"]
    mine = [row for row in rows if row["order_id"] == name]
    own = {step.task_execution_id for step in case.steps("charge")}
    if {row["amount"] for row in mine if row["key"] in own} - {amount}:
        return "with another amount"
    if case.output != amount:
        return "with another output"
    return f"with {origin(case, 'charge', [str(row['key']) for row in mine])}"


def packages_of(loaded):
    """All replicas load the pinned release."""
    pinned = versions.PYTHON_SDK
    return Check(
        "packages",
        "the release of dapr that the service of each replica loads, as its Python says",
        f"orders#1: {pinned}, orders#2: {pinned}",
        lambda: loaded,
        "the folder and the log of each replica; orders/requirements.txt",
    )


def both_work(idle):
    """Both replicas have done calls; else nobody knows what the other one would have done."""
    return Check(
        "replicas",
        "each replica of orders has worked before one went, as its sidecar counts",
        "both have",
        lambda: f"{' and '.join(idle)} had not" if idle else "both have",
        'app.metrics() for each app in lab.replicas("orders")',
        otherwise="unknown",
    )


def listed(words):
    """Say how often each was seen, the most frequent first."""
    counts = Counter(words)
    return ", ".join(f"{count} {what}" for what, count in sorted(counts.items(), key=least))


def least(item):
    return -item[1], item[0]
