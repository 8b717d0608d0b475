"""Orders of three releases end, each on the path on which it began, and are charged once."""

from labkit import paths
from labkit.exercises.cases import Case
from labkit.exercises.observations import Check, ended, ordered, rows_of
from labkit.waiting import patience, wait_until

MOMENT_SECONDS = 30.0
READY_SECONDS = 30.0
FIRST = paths.repo() / "services" / "in-flight" / "orders" / "main.py"
NAMES = ("old", "order", "new")
PLAIN = "check, approval, charge"
SCORED = "check, score, approval, charge"


def steps(lab):
    cases = [Case(lab, name, "order") for name in NAMES]
    for case in cases:
        yield ordered(case)
    yield from wished(*cases)


def wished(old, order, new):
    yield ended(order)
    yield path(order, SCORED, "placed yesterday", "scored")
    yield ended(old, id="old")
    yield path(old, PLAIN, "placed before that", "spared")
    yield ended(new, id="new")
    yield path(new, SCORED, "placed today", "fresh")
    for case, when in ((order, "yesterday"), (old, "before that"), (new, "today")):
        yield charged(case, when)


def counter(trial):
    lab = trial.lab("approvals", "payments")
    yesterday = lab.folder / "yesterday.py"
    healthy = {edit.file: edit.put for edit in trial.exercise.healthy}
    yesterday.write_text(healthy["orders/yesterday.py"], "utf-8")
    cases = []
    for program in (FIRST, yesterday, "main.py"):
        release(lab, program)
        name = trial.draw.instance_id()
        cases.append(trial.order(given=name, instance_id=name))
        within = MOMENT_SECONDS * patience()
        wait_until(lambda: waits(cases[-1]) or cases[-1].run.has_ended, within, "the approval")
    release(lab, "main.py")  # what an order has to know stands in its history, not in a process
    for case in filter(waits, cases):
        lab.client("approvals").raise_workflow_event(f"approval-{case.instance_id}", "approved")
    yield from wished(*cases)


def waits(case):
    """Whether an order has asked for its approval."""
    return bool(case.history.children)


def release(lab, program):
    """Let the worker of orders be of a release."""
    file = lab.folder / "ledgers" / "orders.sqlite.release"
    file.parent.mkdir(exist_ok=True)
    file.write_text(str(program))
    if any(app.app_id == "orders" for app in lab.started_apps()):
        lab.kill("orders", "worker", announce=False)
    lab.up("orders", within=READY_SECONDS * patience(), announce=False)


def path(case, wanted, when, id):
    """The steps that an order has done, in their order."""
    return Check(
        id,
        f"the steps of the order {when}",
        wanted,
        lambda: ", ".join(s.name for s in case.history.own_steps() if s.outcome == "completed"),
        f"lab.run({case.instance_id!r}).history",
    )


def charged(case, when):
    """The order was charged once."""

    def observe():
        rows = rows_of(case.lab, "payments", "charges")
        count = sum(row["order_id"] == case.instance_id for row in rows)
        return f"{count} charge{'' if count == 1 else 's'}"

    return Check(
        "charged",
        f"the order placed {when} is charged once",
        "1 charge",
        observe,
        'lab.ledger("payments", "charges")',
    )
