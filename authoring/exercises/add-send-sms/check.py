"""An activity send_sms delivers once for each call, also when the call is repeated."""

from labkit.exercises.cases import NOTIFICATIONS
from labkit.exercises.observations import Check, ended, origin, rows_of
from labkit.waiting import patience


def wished(case, within=3.0, besides=None):
    """The wishes for one order; ``besides`` is another one that had the same phone."""
    yield ended(case, within=within)
    yield Check(
        "called",
        f"the workflow calls send_sms in {NOTIFICATIONS}",
        "completed",
        lambda: ", ".join(s.outcome for s in case.steps("send_sms", NOTIFICATIONS)) or "no call",
        "the steps in lab.run(ID).history, and the name in the decorator",
    )
    yield delivered(case, besides)
    yield Check(
        "provider",
        "a line of the log has the phone and the message, in place of a provider",
        "phone and message in one line",
        lambda: logged(case, besides),
        f'lab.app("{NOTIFICATIONS}").logs()',
    )


def delivered(case, besides=None):
    again = ", also when a second order is for the same phone" if besides else ""
    return Check(
        "delivered",
        f"the ledger has one sms delivery for this phone, with the key of the call{again}",
        f"1 SMS row from {NOTIFICATIONS}",
        lambda: origin(case, "SMS row", keys(case, besides)),
        f'lab.ledger("{NOTIFICATIONS}", "deliveries"); task_execution_id in the history',
    )


def keys(case, besides=None):
    """The keys of the deliveries to this phone, without those of another order."""
    others = {s.task_execution_id for s in besides.steps()} - {None} if besides else ()
    found = [str(row["key"]) for row in deliveries(case)]
    return [key for key in found if not any(other in key for other in others)]


def deliveries(case):
    rows = rows_of(case.lab, NOTIFICATIONS, "deliveries")
    return [r for r in rows if (r["channel"], r["recipient"]) == ("sms", case.order["phone"])]


def logged(case, besides=None):
    """Each order has a line of its own; ``besides`` had the same phone and message."""
    found = len(lines_of(case))
    if besides and found == 1:
        return "one line for two orders"
    return "phone and message in one line" if found else "no line has both"


def lines_of(case):
    """The lines of the log that have the phone and the message of an order."""
    given = [s.argument for s in case.steps("send_sms", NOTIFICATIONS)]
    messages = [str(g["message"]) for g in given if isinstance(g, dict) and "message" in g]
    words = case.order["phone"], case.order["title"], *messages
    lines = case.lab.app(NOTIFICATIONS).logs().splitlines()
    return [line for line in lines if all(word in line for word in words)]


def counter(trial):
    trial.lab()
    first = trial.order(given=drawn(trial.draw))
    yield from wished(first)
    second = trial.again(first)
    yield from wished(second, besides=first)
    yield delivered(first, besides=second)
    before = []
    cut_off = trial.repeated(
        NOTIFICATIONS, lambda case: note(before, keys(case)), given=drawn(trial.draw)
    )
    yield from wished(cut_off, within=5 * patience())
    yield Check(
        "delivered",
        "the key of the delivery is the same after the call was repeated",
        "the same key",
        lambda: "the same key" if keys(cut_off) == before else "another key",
        f'the keys in lab.ledger("{NOTIFICATIONS}", "deliveries") before and after a kill',
    )
    yield Check(
        "once",
        "a repeated call sends no second SMS: the log has one line with the phone and the message",
        "1 line",
        lambda: f"{len(lines_of(cut_off))} lines".replace("1 lines", "1 line"),
        f'lab.app("{NOTIFICATIONS}").logs(), after the process was killed behind its row',
    )


def note(place, found):
    place[:] = found
    return found


def drawn(draw):
    phone = f"+49 {draw.number()} {draw.number()}"
    return {"task_id": draw.task_id(), "title": draw.title(), "phone": phone}
