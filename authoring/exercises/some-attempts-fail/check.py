"""One worker serves notification-service, so no attempt fails; a retry policy is still there."""

from contextlib import suppress

import psutil

from labkit.exercises.cases import NOTIFICATIONS, Case, part
from labkit.exercises.observations import Check, as_before, came_true, ended, missed, origin
from labkit.processes import lifeline
from labkit.waiting import patience, poll, settled

WORKFLOW = "resilient_task_processing"
NAMES = [f"order-{number}" for number in range(6)]
START_SECONDS = 3.0


def steps(lab):
    yield workers(lab)
    yield from orders([Case(lab, name, WORKFLOW) for name in NAMES])


def counter(trial):
    lab = trial.lab()
    settled(lab.app(NOTIFICATIONS).connected_workers, quiet=1)
    yield workers(lab)
    yield Check(
        "alone",
        f"what starts {NOTIFICATIONS} starts nothing that could connect later",
        "nothing else",
        lambda: bystanders(lab.app(NOTIFICATIONS)) or successor(trial, lab) or "nothing else",
        "notification-service/start.sh, and the processes that it leaves",
    )
    cases = [trial.order() for _ in range(3)]
    yield from orders(cases)
    yield from as_before(cases[0])
    lab.kill("mail")
    case = trial.order()
    came_true(lambda: failed(case) or case.run.has_ended, 10 * patience())
    lab.up(announce=False)
    yield ended(case, id="policy")
    yield Check(
        "policy",
        "a mail that fails while the mail server is down is tried again",
        "failed, then sent: True",
        lambda: tried_again(case),
        "the retry policy of the workflow",
    )
    yield workers(lab)


def workers(lab):
    return Check(
        "workers",
        f"one worker is connected to the sidecar of {NOTIFICATIONS}",
        1,
        lambda: lab.app(NOTIFICATIONS).connected_workers(),
        f'lab.app("{NOTIFICATIONS}").metadata()["workflows"]',
    )


def orders(cases):
    look_at = f"lab.run({cases[0].instance_id!r}).history, and those of the other orders"
    yield Check(
        "ordered",
        "the orders are workflows of the scenario",
        WORKFLOW,
        lambda: ", ".join(sorted({case.history.name for case in cases})),
        look_at,
    )
    yield Check(
        "ended",
        f"all {len(cases)} orders end with COMPLETED",
        "COMPLETED",
        lambda: ", ".join(sorted({case.settled() for case in cases})),
        look_at,
    )
    yield Check(
        "attempts",
        f"no attempt of the {len(cases)} orders failed",
        "none failed",
        lambda: types(cases),
        look_at,
    )
    yield Check(
        "mails",
        f"each of the {len(cases)} orders sends one mail from {NOTIFICATIONS}",
        f"1 mail from {NOTIFICATIONS}",
        lambda: ", ".join(sorted({mails(case) for case in cases})),
        "lab.inbox: the keys of the mails",
    )


def failed(case):
    return [s for s in case.steps() if s.outcome == "failed"]


def types(cases):
    found = {s.failure.error_type for c in cases for s in failed(c) if s.failure}
    return f"some failed: {', '.join(sorted(found))}" if found else "none failed"


def mails(case):
    inbox = case.lab.inbox.to(case.order.get("assignee_email", ""))
    return origin(case, "mail", [mail.idempotency_key for mail in inbox])


def tried_again(case):
    if not failed(case):
        raise missed("a mail that fails while the mail server is down", "no try failed")
    return f"failed, then sent: {part(case.output, 'notifications_sent', 0, 'sent')}"


def bystanders(app):
    """Say what runs beside the worker and is neither the worker nor a shell that started it."""
    poll(lambda: not others(app), START_SECONDS * patience(), 0.1)
    if len(workers := connected(app)) > 1:
        return "; ".join(map(words_of, workers))
    if others(app):
        raise missed(f"{app.app_id} with nothing but its worker", "; ".join(others(app)))
    return ""


def successor(trial, lab):
    """End the worker, as a crash would, and say what another worker fails to do in its place."""
    app = lab.app(NOTIFICATIONS)
    for process in connected(app):
        process.kill()
    within = 2 * START_SECONDS * patience()
    _, known = poll(lambda: connected(app) or not family(app), within, 0.1)
    if not known:
        left = "; ".join(map(words_of, family(app)))
        raise missed(f"what {app.app_id} is when its worker has ended", left)
    said = ""
    if after := connected(app):
        case = trial.order()
        came_true(lambda: failed(case) or case.run.has_ended, 10 * patience())
        name = words_of(after[0])
        said = f"{name}, when the worker has ended; attempts then fail" if failed(case) else ""
    lab.up(announce=False)
    poll(lambda: app.connected_workers() == 1, START_SECONDS * patience(), 0.1)
    return said


def family(app):
    """What the start of an app has left, also what has left its parent."""
    found, port = set(), str(app.ports.grpc)
    with suppress(psutil.Error):
        own = psutil.Process(app.process("worker").pid)
        found |= {own, *own.children(recursive=True)}
    for pid in lifeline.marked(app.shared.folder.name):
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            found |= {process} if process.environ().get("DAPR_GRPC_PORT") == port else set()
    return [p for p in found if lives(p)]


def lives(process):
    with suppress(psutil.Error):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def connected(app):
    return [p for p in family(app) if is_connected(p, app)]


def others(app):
    needed = {p.pid for worker in connected(app) for p in (worker, *worker.parents())}
    return [words_of(p) for p in family(app) if p.pid not in needed]


def is_connected(process, app):
    return app.ports.grpc in remote_ports(process)


def remote_ports(process):
    with suppress(psutil.Error):
        return {c.raddr.port for c in process.net_connections("tcp") if c.raddr}
    return set()


def words_of(process):
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return "a process that has ended"
