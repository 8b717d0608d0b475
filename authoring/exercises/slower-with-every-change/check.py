"""Every change is noted once and in order, and nothing grows with their number."""

import json

from labkit.exercises.cases import Case
from labkit.exercises.observations import Check, ended, ordered, rows_of, says
from labkit.waiting import patience, wait_until

APP, WORKFLOW = "escalation-service", "task_watch"
OTHERS = ()
MOST_CHANGES, MOST_INPUT = 20, 400
AT_ONCE, LATER = 30, 5
READY_SECONDS = 30.0


def steps(lab):
    case = Case(lab, "order", WORKFLOW)
    yield ordered(case)
    yield open_still(case)
    yield from noted(case, "task-123", [f"change {n}" for n in range(1, 41)], "forty changes")
    yield from small(case)


def counter(trial):
    lab = trial.lab(APP)
    case = trial.order()
    sent = [trial.draw.text(4) for _ in range(AT_ONCE + LATER)]
    client = lab.client(APP)
    client.pause_workflow(case.instance_id)
    for what in sent[:AT_ONCE]:
        tell(case, what)
    # All have to be there before the first is taken.
    wait_until(lambda: case.history.kinds.count("eventRaised") == AT_ONCE, 60)
    client.resume_workflow(case.instance_id)
    yield open_still(case)
    yield from noted(case, case.order["task_id"], sent[:AT_ONCE], "thirty changes at once")
    lab.kill(APP, "worker", announce=False)  # what it had in mind is gone
    lab.up(APP, within=READY_SECONDS * patience(), announce=False)
    for what in sent[AT_ONCE:]:
        tell(case, what)
    yield open_still(case)
    yield from noted(case, case.order["task_id"], sent, "five more, one by one")
    yield from small(case)
    tell(case, "closed")
    yield ended(case)
    yield says(case, len(sent) + 1, "changes", checked="the output counts all changes")
    yield says(case, case.order["task_id"], "task_id", id="says", checked="it names the task")


def tell(case, what):
    client = case.lab.client(APP)
    client.raise_workflow_event(case.instance_id, "change", data={"what": what})


def open_still(case):
    return Check(
        "open",
        "the workflow waits for the next change",
        "RUNNING",
        lambda: case.settled(5),
        f"lab.run({case.instance_id!r}).history",
    )


def noted(case, task_id, sent, how):
    yield Check(
        "noted",
        f"{how}: each is noted once, in order",
        "all, in order",
        lambda: compared(sent, [r["what"] for r in mine(case, task_id)]),
        f'lab.ledger("{APP}", "changes")',
    )


def mine(case, task_id):
    """In the learner's lab the scenario may have been run before: its newest rows count."""
    rows = [r for r in rows_of(case.lab, APP, "changes") if r["task_id"] == task_id]
    return rows[-40:] if case.is_own else rows


def compared(sent, found):
    if found == sent:
        return "all, in order"
    if missing := [what for what in sent if what not in found]:
        return f"missing: {len(missing)} of {len(sent)}"
    return "another order" if sorted(found) == sorted(sent) else "noted more than once"


def small(case):
    look_at = f"lab.run({case.instance_id!r}).history, and .input"
    yield Check(
        "length",
        f"the history holds at most {MOST_CHANGES} changes",
        f"at most {MOST_CHANGES}",
        lambda: counted(changes_in(case)),
        look_at,
        lambda seen: seen.startswith("at most"),
    )
    yield Check(
        "length",
        "the input of the workflow does not grow with the changes",
        f"at most {MOST_INPUT} characters",
        lambda: sized(len(json.dumps(case.run.input))),
        look_at,
        lambda seen: seen.startswith("at most"),
    )


def changes_in(case):
    """Those that were noted, or came, in the run that goes on; whatever notes them."""
    return max(len(case.steps("note_change", APP)), case.history.kinds.count("eventRaised"))


def counted(changes):
    return f"at most {MOST_CHANGES}" if changes <= MOST_CHANGES else f"{changes} changes"


def sized(length):
    return f"at most {MOST_INPUT} characters" if length <= MOST_INPUT else f"{length} characters"
