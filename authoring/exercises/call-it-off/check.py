"""A task is called off in each of its waits, and whoever knows of it is told."""

from labkit.exercises.cases import Case, part
from labkit.exercises.observations import (
    Check,
    besides,
    came_true,
    ended,
    mailed,
    mails_of,
    missed,
    ordered,
    says,
)
from labkit.exercises.waits import calls, each_at_its_moment, ends, stretched, unheard
from labkit.waiting import patience

APP, WORKFLOW = "escalation-service", "task_escalation"
SECONDS, MOMENT, LATER = 3.0, 0.5, 5.0
REMINDER, QUESTION, CANCELLED = "Reminder", "Please decide", "Task cancelled"
OTHERS = ()


def steps(lab):
    case = Case(lab, "off", WORKFLOW)
    yield ordered(case)
    yield in_time(case, over, "asked")
    yield from called_off(case, "robin", "the manager was asked", "asked", assignee=3, manager=2)


def counter(trial):
    (seconds,) = stretched(SECONDS)
    names = ("REMIND_SECONDS", "ESCALATE_SECONDS", "APPROVAL_SECONDS")
    trial.lab(**dict.fromkeys(names, str(seconds)))
    who = trial.draw.word()
    off, yes, no = {"by": who}, {"by": who, "approved": True}, {"by": who, "approved": False}
    first = at_once(trial, "task_cancelled", off)
    done = at_once(trial, "task_done", None)
    refused = at_once(trial, "approval", no)
    silent, reminded, relieved, late, approved = (task(trial) for _ in range(5))
    each_at_its_moment(
        (lambda: is_reminded(reminded), lambda: tell(reminded, "task_cancelled", off)),
        (lambda: is_reminded(relieved), lambda: tell(relieved, "task_done", off)),
        (lambda: is_asked(late), lambda: tell(late, "task_cancelled", off)),
        (lambda: is_asked(approved), lambda: tell(approved, "approval", yes)),
        within=15,
    )
    yield from called_off(first, who, "it comes at once", "first", assignee=2, manager=0)
    yield in_time(reminded, lambda case: mails_about(case, QUESTION), "reminded")
    yield from called_off(
        reminded, who, "it comes after the reminder", "reminded", assignee=3, manager=0
    )
    yield in_time(late, over, "asked")
    yield from called_off(late, who, "the manager was asked", "asked", assignee=3, manager=2)
    yield ended(done)
    yield besides(
        outcome(done, "done", "task_done comes, and no cancellation", "done"),
        lambda: task_done(done, None, REMINDER) or task_done(relieved, who, QUESTION),
    )
    yield mailed(done, count=1, id="done")
    yield ended(silent, within=10, id="before")
    yield besides(
        outcome(silent, "timed out", "nobody says anything", "before"),
        lambda: decided(refused, "kept", who) or decided(approved, "reassigned", who),
    )
    yield mailed(silent, count=2, id="before")
    yield mailed(silent, manager(silent), 1, who="the manager", id="before")


def called_off(case, who, how, id, assignee, manager):
    yield ended(case, within=10)
    called = outcome(case, "cancelled", how, id)
    yield called if case.is_own else besides(called, lambda: not_at_once(case, id))
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


def not_at_once(case, id):
    """What is to be said when the wait goes on although the task is called off."""
    if id == "first":
        require_before(case, mails_about(case, REMINDER))
    return unheard(case, calls("send_email", "subject", CANCELLED))


def task_done(case, by, following):
    """What is to be said when the event task_done does not end a task as before."""
    case.settled(10)
    require_before(case, mails_about(case, following))
    found, after = answer(case), "after the reminder" if following == QUESTION else "without data"
    if found != ["done", by]:
        return f"task_done {after}: {found}"
    return unheard(case, ends) and f"task_done {after} counts {unheard(case, ends)}"


def decided(case, status, by):
    """What is to be said when an approval does not decide as before."""
    case.settled(10)
    require_before(case, over(case))
    if answer(case) != [status, by]:
        return f"an approval in time: {answer(case)}"
    reaction = ends if status == "kept" else calls("assign_task", "assignee", manager(case))
    return unheard(case, reaction) and f"an approval counts {unheard(case, reaction)}"


def in_time(case, following, id):
    """A busy machine may go on to the next wait before the event comes."""

    def observe():
        if part(case.output, "status") != "cancelled":
            require_before(case, following(case))
        return "in time"

    return Check(id, "task_cancelled comes in time", "in time", observe, "lab.run(ID).history")


def require_before(case, following):
    """The event that was raised came before what follows the wait that it is meant for."""
    came_true(lambda: raised(case), LATER * patience())
    if not raised(case) or any((t - raised(case)[0]).total_seconds() < MOMENT for t in following):
        raise missed("an event in the wait that it is meant for", "the next step had begun")


def raised(case):
    return [e.time for e in case.history.events if e.kind == "eventRaised"]


def mails_about(case, subject):
    return [s.began for s in case.steps("send_email") if subject in str(s.argument)]


def over(case):
    """When the last wait was over and nobody had answered."""
    is_over = part(case.output, "status") == "timed out"
    return [e.time for e in case.history.events if ends(e)] if is_over else []


def answer(case):
    return [part(case.output, "status"), part(case.output, "by")]


def outcome(case, expected, how, id):
    return says(case, expected, "status", id=id, checked=f"{how}: the status in the output")


def told(case, role):
    address = case.order[f"{role}_email"]
    return sum(m.subject.startswith(CANCELLED) for m in mails_of(case, address))


def listed(counts):
    return ", ".join(f"{role} {count}" for role, count in counts.items())


def task(trial):
    return trial.order(manager_email=trial.draw.email())


def at_once(trial, event, data):
    """Order a task and raise an event, before the task is waited for."""
    case = task(trial)
    tell(case, event, data)
    return case


def manager(case):
    return case.order["manager_email"]


def is_reminded(case):
    return len(case.lab.inbox.to(case.order["assignee_email"])) >= 2 or case.run.has_ended


def is_asked(case):
    return case.lab.inbox.to(manager(case)) or case.run.has_ended


def tell(case, event, data):
    case.lab.client(APP).raise_workflow_event(case.instance_id, event, data=data)
