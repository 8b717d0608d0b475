"""The mail is sent by notification-service, once; by which activity is free."""

from labkit.exercises.cases import part
from labkit.exercises.observations import as_before, besides, ended, mailed

CHANGED = {"send_email"}


def wished(case):
    yield ended(case)
    yield mailed(case)


def counter(trial):
    trial.lab()
    case = trial.order()
    yield ended(case)
    yield besides(mailed(case), lambda: hidden(trial))
    yield from as_before(case, CHANGED)


def hidden(trial):
    """What is to be said when an order hides that its mail was refused; it may end otherwise."""
    with trial.refusing():
        case = trial.order()
        status = case.settled()
    told = part(case.output, "notifications_sent") if status == "COMPLETED" else ()
    told = list(told.values()) if isinstance(told, dict) else told
    claims = [one for one in told if isinstance(one, dict) and one.get("sent")]
    return "and when it is refused, the output says that it was sent" if len(claims) > 1 else ""
