"""Two of three managers decide, before one deadline; events are not people."""

import time

from labkit.exercises.cases import Case, part
from labkit.exercises.observations import (
    Check,
    came_true,
    ended,
    mailed,
    missed,
    ordered,
    origin,
    rows_of,
)
from labkit.waiting import patience

APP = "escalation-service"
WORKFLOW = "task_escalation"
APPROVAL = 4.0
LATER = 1.6
"""Seconds after the question at which one answer comes; a new deadline would be so much later."""
NEVER = 9000
"""The year of a timer that stands for a wait without a time-out."""
OTHERS = ()


def steps(lab):
    agreed, alone = Case(lab, "agreed", WORKFLOW), Case(lab, "alone", WORKFLOW)
    for case in (agreed, alone):
        yield ordered(case)
    yield from timed_out(alone)
    yield from reassigned(agreed, agreed.order.get("managers", [])[:2], "says")


def counter(trial):
    env = {"REMIND_SECONDS": 0.5, "ESCALATE_SECONDS": 0.5, "APPROVAL_SECONDS": APPROVAL}
    trial.lab(**{name: str(value) for name, value in env.items()})
    silent, yes, no, twice, stranger, changed, done = (task(trial) for _ in range(7))
    done.lab.client(APP).raise_workflow_event(done.instance_id, "task_done", data={"by": "x"})
    tell(yes, (0, True), (2, True))
    tell(no, (2, False), (0, True), (1, False))
    tell(twice, (1, True), (1, True))
    tell(stranger, (0, True), (trial.draw.email(), True))
    tell(changed, (1, True), (1, False), (1, False), (trial.draw.email(), True), (0, True))
    came_true(lambda: asked(silent) or silent.run.has_ended, 15 * patience())
    time.sleep(LATER)
    tell(silent, (0, True))
    yield from timed_out(silent)
    yield from in_time(silent)
    yield from reassigned(yes, [manager(yes, 0), manager(yes, 2)], "says")
    yield ended(no, within=8)
    yield outcome(no, ["kept", [manager(no, 2), manager(no, 1)]], "two refuse", "refused")
    for case, how, id in (
        (twice, "one manager approves twice", "twice"),
        (stranger, "one manager approves, and somebody who was not asked", "stranger"),
    ):
        yield ended(case, within=8)
        yield outcome(case, ["timed out", None], how, id)
    how = "one manager approves and then refuses, and another one approves"
    yield from reassigned(changed, [manager(changed, 1), manager(changed, 0)], "changed", how)
    yield ended(done)
    yield outcome(done, ["done", "x"], "task_done comes at once", "before")


def timed_out(case):
    yield ended(case, within=8)
    yield outcome(case, ["timed out", None], "one manager approves", "says")
    yield mailed(case, count=2, id="before")
    for number, who in enumerate(("first", "second", "third")):
        yield mailed(case, manager(case, number), id="asked", who=f"the {who} manager")


def reassigned(case, people, id, how="two managers approve"):
    yield ended(case, within=8)
    yield outcome(case, ["reassigned", people], how, id)
    yield assigned(case, [case.order["assignee_email"], people[0]])


def in_time(case):
    """One deadline, also when an answer has come; by the timers in the history."""

    def observe():
        asked_at = [s.began for s in case.steps("send_email")][-1]
        timers = [s for s in case.steps() if s.due and s.due.year < NEVER]
        dues = sorted(s.due for s in timers if s.began >= asked_at)
        later = (dues[-1] - dues[0]).total_seconds() if dues else 0.0
        return "one deadline" if later < LATER / 2 else f"a deadline that is {later:.0f} s later"

    require_an_answer(case)
    yield Check(
        "deadline",
        "one manager approves a while after the question: the time does not become longer",
        "one deadline",
        observe,
        f"the timers in lab.run({case.instance_id!r}).history",
    )


def require_an_answer(case):
    """A busy machine may be slower than the time in which the answer has to come."""
    if not any(e.kind == "eventRaised" for e in case.history.events):
        raise missed("an answer before the time is over", "the workflow had ended before")


def outcome(case, expected, how, id):
    return Check(
        id,
        f"{how}: status and by in the output",
        str(expected),
        lambda: str([part(case.output, "status"), part(case.output, "by")]),
        f"lab.run({case.instance_id!r}).output",
    )


def assigned(case, people):
    """The assignments of this workflow, in their order, each by a step of its own."""

    def observe():
        rows = [r for r in rows_of(case.lab, APP, "assignments") if r["assignee"] in people]
        found = origin(case, "assignment", [str(r["key"]) for r in rows])
        given = [str(s.argument["assignee"]) for s in case.steps("assign_task", APP)]
        return found if given == people else f"{found}, to {given}"

    return Check(
        "assigned",
        "the task is assigned to the assignee, then to the first manager who has approved",
        f"{len(people)} assignments from {APP}",
        observe,
        f'lab.ledger("{APP}", "assignments")',
    )


def task(trial):
    return trial.order(managers=[trial.draw.email() for _ in range(3)])


def manager(case, number):
    managers = case.order.get("managers") or ["", "", ""]
    return managers[number]


def tell(case, *answers):
    """Raise the approvals of managers by their place, or of somebody else by address."""
    for who, approved in answers:
        data = {"approved": approved, "by": manager(case, who) if isinstance(who, int) else who}
        case.lab.client(APP).raise_workflow_event(case.instance_id, "approval", data=data)


def asked(case):
    return case.lab.inbox.to(manager(case, 2))
