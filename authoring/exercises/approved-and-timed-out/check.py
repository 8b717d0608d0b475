"""An approval counts, whenever it comes; without one the workflow times out as before."""

import time

from labkit.exercises.cases import Case, part
from labkit.exercises.observations import Check, besides, ended, mailed, missed, ordered, says
from labkit.exercises.waits import each_at_its_moment, stretched
from labkit.waiting import patience

APP, WORKFLOW = "escalation-service", "task_escalation"
SECONDS, READY_SECONDS = 2.0, 30.0
AFTER_QUESTION = "an approval after the question"
OTHERS = ()


def steps(lab):
    case = Case(lab, "order", WORKFLOW)
    yield ordered(case)
    yield ended(case, within=8)
    yield from outcome(case, "reassigned", "morgan")


def counter(trial):
    (seconds,) = stretched(SECONDS)
    lab = trial.lab(REMIND_SECONDS=str(seconds), APPROVAL_SECONDS=str(seconds))
    who = trial.draw.word()
    yes, no = ({"approved": approved, "by": who} for approved in (True, False))
    done, done_at = at_once(trial, "task_done", {"by": who})
    early, _ = at_once(trial, "approval", yes)
    refused, _ = at_once(trial, "approval", no)
    second, relieved, asked, silent = (task(trial) for _ in range(4))
    told = {}
    each_at_its_moment(
        (lambda: in_round_two(second, seconds), lambda: tell(second, "approval", yes, told)),
        (lambda: in_round_two(relieved, seconds), lambda: tell(relieved, "task_done", yes, told)),
        (lambda: len(told) == 2, lambda: started_again(lab)),
        (lambda: is_asked(asked), lambda: tell(asked, "approval", yes, told)),
        within=15,
    )
    lab.up(APP, within=READY_SECONDS * patience(), announce=False)
    for case, status, by in (
        (early, "reassigned", who),
        (refused, "kept", who),
        (silent, "timed out", None),
        (done, "done", who),
    ):
        yield ended(case, within=8)
        yield from outcome(case, status, by)
    yield mails(silent, 3)
    yield mails(done, 1, done_at)
    yield mailed(silent, silent.order["manager_email"], 1, id="before", who="the manager")
    assigned = Check(
        "before",
        "the task is assigned once, and after an approval to the manager, too",
        [1, 2, 1],
        lambda: [rows(silent), rows(early), rows(refused)],
        f'lab.ledger("{APP}", "assignments")',
    )
    yield besides(
        assigned,
        lambda: (
            later(second, ["reassigned", who], told, "an approval after one reminder", 2 * seconds)
            or later(relieved, ["done", who], told, "task_done after one reminder", 2 * seconds)
            or later(asked, ["reassigned", who], told, AFTER_QUESTION, seconds, "manager_email")
        ),
    )


def outcome(case, status, by):
    why = {
        "reassigned": "after an approval that came early",
        "kept": "after a refusal that came early",
        "timed out": "when nobody answers",
        "done": "after task_done",
    }[status]
    yield says(case, status, "status", id="says", checked=f"the status in the output {why}")
    yield says(case, by, "by", id="says", checked=f"who has answered, {why}")


def mails(case, count, told_at=0.0):
    """All that the assignee got; the history of the last round names only the mails of that."""

    def observe():
        found = mails_to(case)
        if len(found) > count and found[count].received_at < told_at:
            raise missed("an event before the reminder", "the reminder was sent before")
        return f"mails: {len(found)}"

    return Check(
        "before",
        f"the assignee of the order that ends with {case.output['status']!r} gets its mails",
        f"mails: {count}",
        observe,
        "lab.inbox",
    )


def later(case, expected, told, how, waits, since="assignee_email"):
    """What is to be said when an event of a later round does not count, although it came in time.

    A history tells of the last round only, so it is the clock that says when it came. So many
    seconds after the first mail to somebody the wait cannot have been over.
    """
    case.settled(8)
    if (found := [part(case.output, "status"), part(case.output, "by")]) == expected:
        return ""
    over = min((m.received_at + waits for m in mails_to(case, since)), default=0.0)
    if told.get(case.instance_id, over) >= over:
        raise missed(how, "the wait may have been over")
    return f"{how}: {found}"


def started_again(lab):
    """What the service had in mind in the first round is gone in the second."""
    lab.kill(APP, "worker", announce=False)
    lab.app(APP).start()  # does not wait until it is ready: other moments are near


def in_round_two(case, seconds):
    """After the time of one reminder and a half, by the first mail; also where none is sent."""
    first = [m.received_at for m in mails_to(case)[:1]]
    return case.run.has_ended or any(time.time() > t + 1.5 * seconds for t in first)


def is_asked(case):
    return mails_to(case, "manager_email") or case.run.has_ended


def mails_to(case, role="assignee_email"):
    return case.lab.inbox.to(case.order[role])


def task(trial):
    return trial.order(manager_email=trial.draw.email())


def at_once(trial, event, data):
    """Order a task and raise an event; return both the task and when the event was there."""
    case = task(trial)
    return case, tell(case, event, data)


def tell(case, event, data, told=None):
    """Raise an event; return, and note by the instance, when it was there."""
    case.lab.client(APP).raise_workflow_event(case.instance_id, event, data=data)
    at = time.time()
    if told is not None:
        told[case.instance_id] = at
    return at


def rows(case):
    """How many assignments of the task there are."""
    assignees = {case.order["assignee_email"], case.order["manager_email"]}
    return sum(r["assignee"] in assignees for r in case.lab.ledger(APP, "assignments"))
