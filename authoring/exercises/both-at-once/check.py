"""Mail and push are under way at the same time, and the output holds the answers of both."""

import json

from labkit.exercises.cases import NOTIFICATIONS, part
from labkit.exercises.observations import Check, ended, mailed, pushed, rows_of

BOTH = "the answers of both calls"


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
    """The answers as text; their order does not matter."""
    if not isinstance(answers, str):
        answers = sorted(json.dumps(answer, sort_keys=True) for answer in answers)
    return ", ".join(answers) if isinstance(answers, list) else answers
