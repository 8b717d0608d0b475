"""Assignee and manager get one mail each, by two calls of send_email."""

from email.header import decode_header, make_header

from labkit.exercises.cases import NOTIFICATIONS
from labkit.exercises.observations import Check, ended, mailed, mails_of

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
    yield Check(
        "task",
        "each mail names the task, by its ID or its title",
        "both do",
        lambda: unclear(case) or "both do",
        "subject and body of the mails in lab.inbox",
    )


def unclear(case):
    """Name whom a mail does not tell which task was assigned."""
    who = {"the assignee": case.order["assignee_email"], "the manager": MANAGER}
    named = (case.order["task_id"], case.order["title"])
    return ", ".join(
        f"the mail to {name} does not"
        for name, address in who.items()
        for mail in mails_of(case, address)
        if not any(words in text_of(mail) for words in named)
    )


def text_of(mail):
    """Subject and body; a long subject comes folded, and one with other letters encoded."""
    return " ".join(f"{make_header(decode_header(mail.subject))} {mail.body}".split())


def others(case):
    """Name the mails of this workflow whose call was given another recipient, or is another."""
    calls = [s for s in case.steps(app_id=NOTIFICATIONS) if s.task_execution_id]
    wrong = []
    for mail in case.lab.inbox:
        mine = [s for s in calls if s.task_execution_id in mail.idempotency_key]
        given = [s.argument["recipient"] for s in mine if s.name == "send_email"]
        if mine and not given:
            wrong.append(f"the mail to {mail.to} was sent by {mine[0].name}, not by send_email")
        elif given and mail.to not in given:
            wrong.append(f"the mail to {mail.to} has the key of the call for {given[0]}")
    return ", ".join(wrong)
