"""Assignee and manager get one mail each, by two calls of send_email."""

from labkit.exercises.cases import NOTIFICATIONS
from labkit.exercises.observations import Check, ended, mailed

MANAGER = "manager@example.com"


def wished(case):
    yield ended(case)
    yield mailed(case, id="assignee")
    yield mailed(case, MANAGER, id="manager", who="the manager")
    yield Check(
        "keys",
        "each mail has the key of a call with this recipient",
        "both do",
        lambda: others(case) or "both do",
        "the keys in lab.inbox; task_execution_id of the steps in lab.run(ID).history",
    )


def others(case):
    """Name the mails of this workflow whose call was given another recipient."""
    calls = [(s.task_execution_id, s.argument) for s in case.steps("send_email", NOTIFICATIONS)]
    wrong = []
    for mail in case.lab.inbox:
        given = [what["recipient"] for key, what in calls if key in mail.idempotency_key]
        if given and mail.to not in given:
            wrong.append(f"the mail to {mail.to} has the key of the call for {given[0]}")
    return ", ".join(wrong)
