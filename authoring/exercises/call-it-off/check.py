"""A task is called off in each of its waits, and whoever knows of it is told."""

from labkit.exercises.cases import Case, part
from labkit.exercises.observations import (
    Check,
    came_true,
    ended,
    mailed,
    mails_of,
    missed,
    ordered,
    says,
)
from labkit.waiting import patience

APP, WORKFLOW = "escalation-service", "task_escalation"
SECONDS = {"REMIND_SECONDS": "3", "ESCALATE_SECONDS": "3", "APPROVAL_SECONDS": "3"}
QUESTION, CANCELLED = "Please decide", "Task cancelled"
OTHERS = ()


def steps(lab):
    case = Case(lab, "off", WORKFLOW)
    yield ordered(case)
    yield in_time(case, lambda: asked(case), "asked")
    yield from called_off(case, "robin", "the manager was asked", "asked", assignee=3, manager=2)


def counter(trial):
    trial.lab(**SECONDS)
    who = trial.draw.word()
    first, reminded, late, silent, done = (task(trial) for _ in range(5))
    tell(first, "task_cancelled", who)
    tell(done, "task_done", who)
    came_true(lambda: mails_to(reminded) >= 2 or reminded.run.has_ended, 15 * patience())
    tell(reminded, "task_cancelled", who)
    came_true(lambda: asked(late) or late.run.has_ended, 15 * patience())
    tell(late, "task_cancelled", who)
    yield from called_off(first, who, "it comes at once", "first", assignee=2, manager=0)
    yield in_time(reminded, lambda: not asked(reminded), "reminded")
    yield from called_off(
        reminded, who, "it comes after the reminder", "reminded", assignee=3, manager=0
    )
    yield in_time(late, lambda: asked(late), "asked")
    yield from called_off(late, who, "the manager was asked", "asked", assignee=3, manager=2)
    yield ended(done)
    yield outcome(done, "done", "task_done comes, and no cancellation", "done")
    yield mailed(done, count=1, id="done")
    yield ended(silent, within=10, id="before")
    yield outcome(silent, "timed out", "nobody says anything", "before")
    yield mailed(silent, count=2, id="before")
    yield mailed(silent, manager(silent), 1, who="the manager", id="before")


def called_off(case, who, how, id, assignee, manager):
    yield ended(case, within=10)
    yield outcome(case, "cancelled", how, id)
    yield says(case, who, "by", id="by", checked=f"{how}: by in the output")
    yield mailed(case, count=assignee, id="told")
    yield mailed(case, case.order["manager_email"], manager, who="the manager", id="told")
    yield Check(
        "told",
        f'{how}: who gets the mail "{CANCELLED}"',
        listed({"assignee": 1, "manager": int(manager > 0)}),
        lambda: listed({role: told(case, role) for role in ("assignee", "manager")}),
        "lab.inbox",
    )


def in_time(case, was_right, id):
    """A busy machine may go on to the next wait before the event comes."""

    def observe():
        if part(case.output, "status") == "cancelled" or was_right():
            return "in time"
        raise missed("task_cancelled in the wait that it is meant for", "the next step had begun")

    return Check(id, "task_cancelled comes in time", "in time", observe, "lab.run(ID).history")


def outcome(case, expected, how, id):
    return says(case, expected, "status", id=id, checked=f"{how}: the status in the output")


def told(case, role):
    address = case.order[f"{role}_email"]
    return sum(m.subject.startswith(CANCELLED) for m in mails_of(case, address))


def listed(counts):
    return ", ".join(f"{role} {count}" for role, count in counts.items())


def task(trial):
    return trial.order(manager_email=trial.draw.email())


def manager(case):
    return case.order["manager_email"]


def mails_to(case):
    return len(case.lab.inbox.to(case.order["assignee_email"]))


def asked(case):
    return [m for m in mails_of(case, manager(case)) if m.subject.startswith(QUESTION)]


def tell(case, event, who):
    case.lab.client(APP).raise_workflow_event(case.instance_id, event, data={"by": who})
