"""Steps that observe the lab of this exercise."""

from contextlib import suppress

from labkit.exercises.steps import ending

from labkit.apps import NoLedger
from labkit.exercises.checking import Step


def steps(lab):
    run = lab.run("order")
    yield Step(
        "ended",
        "the workflow of the order is completed",
        "COMPLETED",
        lambda: ending(lab.run("order")),
        'lab.run("order").history',
    )
    yield Step(
        "delivered",
        "one SMS was delivered to that phone",
        ["+49 30 1234"],
        lambda: [row["recipient"] for row in sent(lab)],
        'lab.ledger("notification-service", "deliveries")',
    )
    yield Step(
        "key",
        "the delivery carries the key of the call",
        "the key of the call",
        lambda: "the key of the call" if sent(lab)[0]["key"] == key_of(run) else "another key",
        'lab.run("order").history.all_events, task_execution_id',
    )


def sent(lab):
    with suppress(NoLedger):  # a service that sent nothing has none
        return [
            r for r in lab.ledger("notification-service", "deliveries") if r["channel"] == "sms"
        ]
    return []


def key_of(run):
    return next(s.task_execution_id for s in run.history.steps() if s.name == "send_sms")
