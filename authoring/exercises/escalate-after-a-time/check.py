"""A task that nobody does is escalated in time, and every answer in time counts."""

from labkit.exercises.cases import Case, part
from labkit.exercises.observations import (
    Check,
    besides,
    ended,
    mailed,
    missed,
    ordered,
    origin,
    rows_of,
)
from labkit.exercises.waits import calls, each_at_its_moment, ends, stretched, unheard

APP = "escalation-service"
WORKFLOW = "task_escalation"
REMIND, ESCALATE, APPROVAL = 2.0, 4.0, 3.0
REMINDER, QUESTION = "Reminder", "Please decide"
NAMES = ("the reminder", "the mail to the manager", "an approval")
OTHERS = ()


def steps(lab):
    silent, decided = Case(lab, "silent", WORKFLOW), Case(lab, "decided", WORKFLOW)
    for case in (silent, decided):
        yield ordered(case)
    yield from nobody_answers(silent, 2.0, 2.0)
    yield from approved(decided, "morgan")


def counter(trial):
    waits = stretched(REMIND, ESCALATE, APPROVAL)
    names = ("REMIND_SECONDS", "ESCALATE_SECONDS", "APPROVAL_SECONDS")
    trial.lab(**{name: str(seconds) for name, seconds in zip(names, waits, strict=True)})
    who = trial.draw.word()
    early = at_once(trial, "task_done", {"by": who})
    bare = at_once(trial, "task_done", None)
    yes = at_once(trial, "approval", {"approved": True, "by": who})
    silent, no, late = (task(trial) for _ in range(3))
    each_at_its_moment(
        (lambda: reminded(late), lambda: tell(late, "task_done", {"by": who})),
        (lambda: asked(no), lambda: tell(no, "approval", {"approved": False, "by": who})),
        within=15,
    )
    for one in nobody_answers(silent, *waits[:2]):
        yield besides(one, lambda: other_times(silent, waits)) if one.id == "in-time" else one
    to_manager = calls("assign_task", "assignee", yes.order["manager_email"])
    for one in approved(yes, who):
        yield besides(one, lambda: unheard(yes, to_manager)) if one.id == "says" else one
    yield ended(no)
    yield besides(
        outcome(no, ["kept", who], "the output after a refusal", "refused"),
        lambda: unheard(no, ends),
    )
    yield ended(early)
    yield besides(
        outcome(early, ["done", who], "the output after task_done at once", "says"),
        lambda: not_done(early, who) or not_done(bare, None),
    )
    yield mailed(early, count=1)
    yield ended(late)
    require_in_time(late, QUESTION)
    yield besides(
        outcome(late, ["done", who], "the output after task_done after the reminder",
                "after-reminder"),
        lambda: unheard(late, ends),
    )  # fmt: skip
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


def other_times(case, waits):
    """Say which wait lasted longer than it should, or was too short for an answer; by the timers.

    What is due is compared with when the timer was made: that is the same on any machine.
    """
    timers = [s for s in case.steps() if s.due and s.ended]
    mails = case.steps("send_email")
    over = [m.began for m in mails[1:]] + [e.time for e in case.history.events if ends(e)]
    for mail, end, seconds, name in zip(mails, over, waits, NAMES, strict=False):
        fired = [s for s in timers if mail.began < s.ended <= end]
        last = max(fired, key=lambda s: s.due, default=None)
        if last is None:
            return f"nothing in the history waits for {name}"
        before = max(last.began, mail.ended or mail.began)
        given, least = (last.due - before).total_seconds(), (last.due - mail.began).total_seconds()
        if given > seconds + 0.5 or least < seconds / 2:
            return f"{given:.1f} s for {name} in place of {seconds:.1f}"
    return ""


def not_done(case, by):
    """What is to be said when a task_done that came at once does not end the task."""
    case.settled()
    require_in_time(case, REMINDER)
    if (found := [part(case.output, "status"), part(case.output, "by")]) != ["done", by]:
        return f"task_done {'with' if by else 'without'} data: {found}"
    return unheard(case, ends)


def task(trial):
    return trial.order(manager_email=trial.draw.email())


def tell(case, event, data):
    """Raise an event; a workflow that has ended does not refuse it."""
    case.lab.client(APP).raise_workflow_event(case.instance_id, event, data=data)


def at_once(trial, event, data):
    """Order a task and raise an event, before the task waits for it."""
    case = task(trial)
    tell(case, event, data)
    return case


def reminded(case):
    return len(case.lab.inbox.to(case.order["assignee_email"])) >= 2 or case.run.has_ended


def asked(case):
    return case.lab.inbox.to(case.order["manager_email"]) or case.run.has_ended


def require_in_time(case, following):
    """A busy machine may be slower than the time in which an event has to come."""
    events = [e for e in case.history.events if e.kind == "eventRaised"]
    later = [s for s in case.steps("send_email") if following in str(s.argument)]
    if later and events and later[0].began < events[0].time:
        raise missed("an event before the next mail", f'the mail "{following}" was sent before')
