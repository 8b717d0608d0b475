"""An activity send_sms delivers once for each call, also when the call is repeated."""

from labkit.exercises.cases import NOTIFICATIONS
from labkit.exercises.observations import Check, ended, origin, rows_of
from labkit.waiting import patience


def wished(case, within=3.0):
    yield ended(case, within=within)
    yield Check(
        "called",
        f"the workflow calls send_sms in {NOTIFICATIONS}",
        "completed",
        lambda: ", ".join(s.outcome for s in case.steps("send_sms", NOTIFICATIONS)) or "no call",
        "the steps in lab.run(ID).history, and the name in the decorator",
    )
    yield Check(
        "delivered",
        "the ledger has one delivery of channel sms for this phone, with the key of the call",
        f"1 SMS row from {NOTIFICATIONS}",
        lambda: origin(case, "SMS row", [r["key"] for r in deliveries(case)]),
        f'lab.ledger("{NOTIFICATIONS}", "deliveries"); task_execution_id in the history',
    )
    yield Check(
        "provider",
        "a line of the log has the phone and the message, in place of a provider",
        "phone and message in one line",
        lambda: logged(case),
        f'lab.app("{NOTIFICATIONS}").logs()',
    )


def deliveries(case):
    rows = rows_of(case.lab, NOTIFICATIONS, "deliveries")
    return [r for r in rows if (r["channel"], r["recipient"]) == ("sms", case.order["phone"])]


def logged(case):
    words = case.order["phone"], case.order["title"]
    lines = case.lab.app(NOTIFICATIONS).logs().splitlines()
    found = any(all(word in line for word in words) for line in lines)
    return "phone and message in one line" if found else "no line has both"


def counter(trial):
    trial.lab()
    yield from wished(trial.order(given=drawn(trial.draw)))
    again = trial.repeated(NOTIFICATIONS, deliveries, given=drawn(trial.draw))
    yield from wished(again, within=5 * patience())


def drawn(draw):
    phone = f"+49 {draw.number()} {draw.number()}"
    return {"task_id": f"task-{draw.number()}", "title": draw.title(), "phone": phone}
