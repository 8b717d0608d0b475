"""A task that nobody does is escalated in time, and every answer in time counts."""

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
REMIND, ESCALATE, APPROVAL = 2.0, 6.0, 1.0
OTHERS = ()


def steps(lab):
    silent, decided = Case(lab, "silent", WORKFLOW), Case(lab, "decided", WORKFLOW)
    for case in (silent, decided):
        yield ordered(case)
    yield from nobody_answers(silent, 2.0, 2.0)
    yield from approved(decided, "morgan")


def counter(trial):
    env = {"REMIND_SECONDS": REMIND, "ESCALATE_SECONDS": ESCALATE, "APPROVAL_SECONDS": APPROVAL}
    trial.lab(**{name: str(value) for name, value in env.items()})
    who = trial.draw.word()
    silent, yes, no, early, late = (task(trial) for _ in range(5))
    tell(yes, "approval", {"approved": True, "by": who})
    tell(no, "approval", {"approved": False, "by": who})
    tell(early, "task_done", {"by": who})
    came_true(lambda: reminded(late) or late.run.has_ended, 10 * patience())
    tell(late, "task_done", {"by": who})
    yield from nobody_answers(silent, REMIND, ESCALATE)
    yield from approved(yes, who)
    yield ended(no)
    yield outcome(no, ["kept", who], "the output after a refusal", "refused")
    yield ended(early)
    yield outcome(early, ["done", who], "the output after task_done at once", "says")
    yield mailed(early, count=1)
    yield ended(late)
    require_in_time(late)
    yield outcome(late, ["done", who], "the output after task_done after the reminder",
                  "after-reminder")  # fmt: skip
    yield mailed(late, late.order["manager_email"], 0, who="the manager")


def nobody_answers(case, remind, escalate):
    yield ended(case, within=8)
    yield outcome(case, ["timed out", None], "the output when nobody answers", "says")
    yield mailed(case, count=2)
    yield mailed(case, case.order["manager_email"], 1, who="the manager")
    yield Check(
        "in-time",
        "the reminder and the mail to the manager come after their times, and not before",
        "each after its time",
        lambda: ", ".join(early_mails(case, (remind, escalate))) or "each after its time",
        f"lab.run({case.instance_id!r}).show()",
    )
    yield assigned(case, 1)


def approved(case, who):
    yield ended(case, within=8)
    yield outcome(case, ["reassigned", who], "the output after an approval", "says")
    yield assigned(case, 2)


def outcome(case, expected, checked, id):
    return Check(
        id,
        f"{checked}: status and by",
        str(expected),
        lambda: str([part(case.output, "status"), part(case.output, "by")]),
        f"lab.run({case.instance_id!r}).output",
    )


def assigned(case, count):
    """The assignments of this workflow: to the assignee, and to the manager who has approved."""
    wanted = [case.order["assignee_email"], case.order["manager_email"]][:count]

    def observe():
        rows = [r for r in rows_of(case.lab, APP, "assignments") if r["assignee"] in wanted]
        found = origin(case, "assignment", [str(r["key"]) for r in rows])
        given = {str(s.argument["assignee"]) for s in case.steps("assign_task", APP)}
        return found if given == set(wanted) else f"{found}, to {sorted(given)}"

    return Check(
        "assigned",
        "the task is assigned to the assignee" + (", then to the manager" if count > 1 else ""),
        f"{count} assignment{'s' if count > 1 else ''} from {APP}",
        observe,
        f'lab.ledger("{APP}", "assignments")',
    )


def early_mails(case, waits):
    """Which mail came before its time, by the history."""
    mails = case.steps("send_email")
    for number, seconds in enumerate(waits, 1):
        passed = (mails[number].began - mails[number - 1].began).total_seconds()
        if passed < seconds - 0.2:
            yield f"mail {number + 1} is too early: {passed:.1f} s after the one before"


def task(trial):
    return trial.order(manager_email=trial.draw.email())


def tell(case, event, data):
    """Raise an event; a workflow that has ended does not refuse it."""
    case.lab.client(APP).raise_workflow_event(case.instance_id, event, data=data)


def reminded(case):
    return len(case.lab.inbox.to(case.order["assignee_email"])) >= 2


def require_in_time(case):
    """A busy machine may be slower than the time in which task_done has to come."""
    events = [e for e in case.history.events if e.kind == "eventRaised"]
    asked = [s for s in case.steps("send_email") if case.order["manager_email"] in str(s.argument)]
    if asked and events and asked[0].began < events[0].time:
        raise missed("task_done before the manager is asked", "the manager was asked before")
