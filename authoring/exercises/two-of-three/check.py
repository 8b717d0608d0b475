"""Two of three managers decide, before one deadline; events are not people."""

import time

from labkit.exercises.cases import Case, part
from labkit.exercises.observations import (
    Check,
    besides,
    came_true,
    ended,
    mailed,
    missed,
    ordered,
    origin,
    rows_of,
)
from labkit.exercises.waits import calls, ends, stretched, unheard
from labkit.waiting import patience

APP = "escalation-service"
WORKFLOW = "task_escalation"
BEFORE, APPROVAL, LATER = 0.5, 4.0, 1.6
"""The time of each wait before the question, and of the managers; when one answer comes after the
question: a new deadline would be so much later."""
NEVER = 9000
"""The year of a timer that stands for a wait without a time-out."""
QUESTION = "Please decide"
OTHERS = ()


def steps(lab):
    agreed, alone = Case(lab, "agreed", WORKFLOW), Case(lab, "alone", WORKFLOW)
    for case in (agreed, alone):
        yield ordered(case)
    yield from timed_out(alone)
    yield from reassigned(agreed, agreed.order.get("managers", [])[:2], "says")


def counter(trial):
    times = before, approval, later = stretched(BEFORE, APPROVAL, LATER)
    env = {"REMIND_SECONDS": before, "ESCALATE_SECONDS": before, "APPROVAL_SECONDS": approval}
    trial.lab(**{name: str(value) for name, value in env.items()})
    done = task(trial)
    done.lab.client(APP).raise_workflow_event(done.instance_id, "task_done", data={"by": "x"})
    yes = at_once(trial, (0, True), (2, True))
    no = at_once(trial, (2, False), (0, True), (1, False))
    twice = at_once(trial, (1, True), (1, True))
    stranger = at_once(trial, (0, True), (trial.draw.email(), True))
    stranger.lab.client(APP).raise_workflow_event(stranger.instance_id, "approval", data=None)
    somebody = trial.draw.email()
    changed = at_once(trial, (1, True), (1, False), (1, False), (somebody, True), (0, True))
    silent = task(trial)
    came_true(lambda: asked(silent) or silent.run.has_ended, 15 * patience())
    time.sleep(later)
    tell(silent, (0, True))
    yield from timed_out(silent)
    yield besides(in_time(silent, later), lambda: other_time(silent, *times))
    to_manager = calls("assign_task", "assignee", manager(yes, 0))
    for one in reassigned(yes, [manager(yes, 0), manager(yes, 2)], "says"):
        yield besides(one, lambda: unheard(yes, to_manager)) if one.id == "says" else one
    yield ended(no, within=8)
    kept = ["kept", [manager(no, 2), manager(no, 1)]]
    yield besides(outcome(no, kept, "two refuse", "refused"), lambda: unheard(no, ends))
    for case, how, id in (
        (twice, "one manager approves twice", "twice"),
        (stranger, "one manager approves, and somebody who was not asked", "stranger"),
    ):
        yield ended(case, within=8)
        yield outcome(case, ["timed out", None], how, id)
    how = "one manager approves and then refuses, and another one approves"
    yield from reassigned(changed, [manager(changed, 1), manager(changed, 0)], "changed", how)
    yield ended(done)
    require_before_question(done)
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


def in_time(case, later):
    """One deadline, also when an answer has come; by the timers in the history."""

    def observe():
        asked_at = [s.began for s in case.steps("send_email")][-1]
        dues = sorted(s.due for s in timers(case) if s.began >= asked_at)
        more = (dues[-1] - dues[0]).total_seconds() if dues else 0.0
        return "one deadline" if more < later / 2 else f"a deadline that is {more:.0f} s later"

    require_an_answer(case)
    return Check(
        "deadline",
        "one manager approves a while after the question: the time does not become longer",
        "one deadline",
        observe,
        f"the timers in lab.run({case.instance_id!r}).history",
    )


def other_time(case, before, approval, later):
    """What is to be said when the time of the question is not counted from the question.

    What is due is compared with the question, and with when the timer was made, which are the
    same on any machine.
    """
    asked = [s for s in case.steps("send_email") if QUESTION in str(s.argument)]
    last = max((s for s in timers(case) if s.ended), key=lambda s: s.due)
    given = (last.due - asked[0].began).total_seconds()
    since = max(last.began, asked[-1].ended or asked[-1].began)
    most = (last.due - since).total_seconds()
    if approval - 1.8 * before < given and most < approval + later / 2:
        return ""
    return f"it is over {given:.1f} s after the question in place of {approval:.1f}"


def timers(case):
    return [s for s in case.steps() if s.due and s.due.year < NEVER]


def require_before_question(case):
    """A busy machine may be slower than the time in which task_done has to come."""
    raised = [e.time for e in case.history.events if e.kind == "eventRaised"]
    asked = [s.began for s in case.steps("send_email") if QUESTION in str(s.argument)]
    if not raised or (asked and asked[0] < raised[0]):
        raise missed("task_done before the managers are asked", "they were asked before")


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


def at_once(trial, *answers):
    """Order a task and raise answers, before it waits for them."""
    case = task(trial)
    tell(case, *answers)
    return case


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
