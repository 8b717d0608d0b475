"""notification-service refuses a recipient without an @, before anything is handed over."""

import sqlite3
from contextlib import closing

from labkit.exercises.cases import NOTIFICATIONS, Case
from labkit.exercises.observations import Check, answered_in_time, ordered, origin
from labkit.waiting import patience

PAUSES = 3.0  # deliver_notification tries three times, with a second between


def steps(lab):
    good, bad = (Case(lab, name, "deliver_notification") for name in ("good", "bad"))
    yield ordered(good)
    yield ordered(bad)
    yield from wished([good], [bad])


def counter(trial):
    draw, word = trial.draw, trial.draw.word()
    trial.lab()
    refused = ("", draw.word(), f"{word}.example.com", f"{word}-at-example.com", f"{word} {word}")
    accepted = (
        f"{word}.{word}+{word}@{word}.{word}.org",
        f"{word}-{word}@{word}-{word}.com",
        f"{word.title()}_{draw.number()}@{word}.example",
    )
    bad = [trial.order(given=mail_to(recipient)) for recipient in refused]
    yield from wished([trial.order(given=mail_to(recipient)) for recipient in accepted], bad)


def mail_to(recipient):
    message = {"recipient": recipient, "subject": "Task assigned", "body": "Hello"}
    return {"activity": "send_email", "message": message}


def wished(good, bad):
    sent = f"1 mail from {NOTIFICATIONS}"
    for id, checked, cases, wanted, ask, look_at in (
        ("good", "a mail to a valid address is delivered", good, sent, arrived, "lab.inbox"),
        ("bad", "a call with a recipient without an @ fails", bad, "FAILED", how, HISTORY),
        ("where", f"it fails in {NOTIFICATIONS}", bad, "send_email failed", where, HISTORY),
        ("nothing", "nothing is delivered for it", bad, "0 mails, 0 rows", delivered, LEDGER),
        ("says", "the failure names the field", bad, "recipient is named", says, HISTORY),
    ):
        yield Check(id, checked, wanted, each(cases, ask, wanted), look_at)


HISTORY = "lab.run(ID).failure, and the steps in lab.run(ID).history"
LEDGER = f'lab.inbox; lab.ledger("{NOTIFICATIONS}", "attempts"), and its other tables'


def each(cases, ask, wanted):
    """Return a function that says what is so for all of them, or for which it is not."""

    def observe():
        answers = [(ask(case), recipient_of(case)) for case in cases]
        other = [
            f"{answer}, for the recipient {who!r}" for answer, who in answers if answer != wanted
        ]
        return "; ".join(other) or wanted

    return observe


def arrived(case):
    status = case.settled(PAUSES * patience())
    keys = [mail.idempotency_key for mail in case.lab.inbox.to(recipient_of(case))]
    answered_in_time(case, keys)
    return origin(case, "mail", keys) if status == "COMPLETED" else status


def how(case):
    return case.settled(PAUSES * patience()).partition(":")[0]


def where(case):
    outcomes = {call.outcome for call in calls(case)}
    if any(call.argument != case.order["message"] for call in calls(case)):
        return "send_email got something else than the caller was given"
    return f"send_email {' and '.join(outcomes)}" if outcomes else "send_email was not called"


def delivered(case):
    """The mails to the recipient or with the key of a call for it, and the rows."""
    mails = [mail for mail in case.lab.inbox if mail.to == recipient_of(case) or of(case, mail)]
    return f"{len(mails)} mails, {len(rows_about(case))} rows"


def of(case, mail):
    keys = [call.task_execution_id for call in calls(case)]
    return any(key and key in mail.idempotency_key for key in keys)


def rows_about(case):
    """The rows of all tables that hold the recipient, or the key of a call for it."""
    keys = {call.task_execution_id for call in calls(case)}
    known = keys | {recipient_of(case)}
    words = [word for word in known if word]
    return [
        row
        for row in all_rows(case.lab.app(NOTIFICATIONS).ledger)
        if known & set(row) or any(word in str(value) for value in row for word in words)
    ]


def all_rows(file):
    if not file.exists():
        return
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as db:
        tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            yield from db.execute(f'SELECT * FROM "{table}"')


def says(case):
    messages = [call.failure.message for call in calls(case)]
    return next((m for m in messages if "recipient" not in m), "recipient is named")


def calls(case):
    return case.steps("send_email", NOTIFICATIONS)


def recipient_of(case):
    return case.order["message"]["recipient"]
