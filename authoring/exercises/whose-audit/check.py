"""Every order has an audit of its own; later orders and a restart leave its history alone."""

from labkit.exercises.cases import AUDIT, ORCHESTRATOR, Case, part
from labkit.exercises.observations import Check, as_before, besides, ordered

TOGETHER = 3


def steps(lab):
    cases = [Case(lab, name, "task_with_audit") for name in ("task-1", "task-2")]
    for case in cases:
        yield ordered(case)
    yield from wishes(cases)


def counter(trial):
    """Orders that differ in their task IDs only; the last two after a start on another machine."""
    trial.lab()
    usual, number, cases = trial.draw.order(), trial.draw.number(1000, 8000), []
    # Two IDs share their length, beginning or end each; the last two the first or last four digits.
    for id in (number, number + 10, f"{trial.draw.number(1, 9)}{number}", f"{number}0"):
        if len(cases) == 2:
            trial.replaced(ORCHESTRATOR)
        cases.append(trial.order(given={**usual, "task_id": f"task-{id}"}))
        cases[-1].settled()
    yield from wishes(cases, lambda: begun_together(trial, usual))


def begun_together(trial, usual):
    """What is to be said unless orders that begin at the same moment have an audit each."""
    number = trial.draw.number(1000, 8000)
    ids = [f"task-{number + n}" for n in range(TOGETHER)]
    cases = [trial.order(given={**usual, "task_id": id}) for id in ids]
    ends = [case.settled() for case in cases]
    wrong = [
        described(case, audited(case)) if end == "COMPLETED" else f"{id}: {end}"
        for case, id, end in zip(cases, ids, ends, strict=True)
        if end != "COMPLETED" or audited(case) != [id]
    ]
    return f"of {TOGETHER} orders at the same moment, {', '.join(wrong)}" if wrong else ""


def wishes(cases, problem=lambda: ""):
    yield Check(
        "ended",
        f"the {len(cases)} orders end with COMPLETED",
        ", ".join("COMPLETED" for _ in cases),
        lambda: ", ".join(case.settled() for case in cases),
        f"lab.run({cases[0].instance_id!r}) and the others",
    )
    own = Check(
        "own",
        "the audit of each order is about this order, and about no other",
        ", ".join(described(c, [c.order.get("task_id")]) for c in cases),
        lambda: ", ".join(described(c, audited(c)) for c in cases),
        f"lab.run({cases[0].instance_id!r}).history.children",
    )
    yield besides(own, problem)
    yield from as_before(cases[-1])


def audited(case):
    """The tasks that the histories of this order's children in audit-service are about."""
    runs = [run for run in case.history.walk() if run.app_id == AUDIT]
    events = [e for run in runs for e in run.events if e.kind == "executionStarted"]
    return [part(e.argument, "task_id") for e in events]


def described(case, tasks):
    return f"audit of {case.order.get('task_id')}: {' and '.join(map(str, tasks)) or 'none'}"
