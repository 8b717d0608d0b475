"""Mail and push are under way at the same time, in the service too; the output has both answers."""

import json

from labkit.exercises.cases import NOTIFICATIONS, part
from labkit.exercises.observations import (
    Check,
    as_before,
    ended,
    mailed,
    missed,
    pushed,
    rows_of,
)
from labkit.waiting import patience

BOTH = "the answers of both calls"
SLOW_SECONDS = 1.0
QUIET = 1.5
"""Below this patience a machine is not busy."""


def counter(trial):
    trial.lab(SLOW_SECONDS=f"{SLOW_SECONDS:g}")
    case = trial.order()
    yield from wished(case)
    yield from as_before(case)
    yield side_by_side(case, trial)


def side_by_side(case, trial):
    """Two messages of one second each that are sent one after the other need two seconds."""

    def observe():
        for one in (case, None, None):
            one = one or trial.order()
            status = one.settled()
            if status != "COMPLETED":
                raise missed("an order that completes, as the one before", status)
            seconds = both_took(one)
            if seconds < 2 * SLOW_SECONDS:
                return FASTER
            if patience() < QUIET:
                return f"{seconds:.1f} s"
        raise missed(f"mail and push in less than {2 * SLOW_SECONDS:g} s", f"{seconds:.1f} s")

    return Check(
        "together",
        "with a provider that needs a second for each, both are done in less than two",
        FASTER,
        observe,
        f"lab.run({case.instance_id!r}).show(); what {NOTIFICATIONS} does in each call",
    )


FASTER = f"less than {2 * SLOW_SECONDS:g} s for both"


def both_took(case):
    """The seconds from the begin of the first of the two calls to the end of the last."""
    calls = senders(case)
    return (max(s.ended for s in calls) - min(s.began for s in calls)).total_seconds()


def wished(case):
    yield ended(case)
    yield mailed(case, id="sent")
    yield pushed(case, id="sent")
    yield Check(
        "together",
        "the call that sent the mail and the call that sent the push overlap",
        "at the same time",
        lambda: how(*senders(case)),
        "lab.run(ID).show()",
    )
    yield Check(
        "both",
        "notifications_sent holds the answers of these two calls",
        BOTH,
        lambda: both(case),
        "lab.run(ID).output, beside the answers in lab.run(ID).history",
    )


def both(case):
    """The output, where it is not what the two calls answered; that holds times, which differ."""
    answers = listed(step.value for step in senders(case))
    seen = listed(part(case.output, "notifications_sent"))
    return BOTH if seen == answers else seen


def senders(case):
    """The steps whose keys the mail and the push to the assignee carry."""
    order, rows = case.order, rows_of(case.lab, NOTIFICATIONS, "pushes")
    mails = [mail.idempotency_key for mail in case.lab.inbox.to(order["assignee_email"])]
    pushes = [str(row["key"]) for row in rows if row["user_id"] == order["assignee_user_id"]]
    return [next(s for s in case.steps() if carried(s, keys)) for keys in (mails, pushes)]


def carried(step, keys):
    return step.task_execution_id and any(step.task_execution_id in key for key in keys)


def how(mail, push):
    if mail == push:
        return f"one call of {mail.name} sent both"
    overlap = max(mail.began, push.began) < min(mail.ended, push.ended)
    return "at the same time" if overlap else "one after the other"


def listed(answers):
    """The answers as text; neither their order matters, nor by what name each is called."""
    if isinstance(answers, dict):
        answers = answers.values()
    if not isinstance(answers, str):
        answers = sorted(json.dumps(answer, sort_keys=True) for answer in answers)
    return ", ".join(answers) if isinstance(answers, list) else answers
