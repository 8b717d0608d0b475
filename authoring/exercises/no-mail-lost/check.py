"""The mail has arrived when the workflow ends, also when the orchestrator is killed meanwhile."""

from datetime import datetime, timezone

from labkit.exercises.cases import NOTIFICATIONS, ORCHESTRATOR, TIMER_SECONDS, Case
from labkit.exercises.observations import (
    Check,
    as_before,
    besides,
    came_true,
    ended,
    killed,
    mailed,
    missed,
    ordered,
    timed_out,
)
from labkit.waiting import patience, poll, wait_until

READY_SECONDS = 10.0
HANGS_SECONDS = 4.5
"""Of a mail server that hangs: the service gives it up after 5 s."""


def steps(lab):
    case = Case(lab, "order", "task_processing_multi_app")
    yield ordered(case)
    yield killed(case, ORCHESTRATOR)
    yield from wished(case)


def counter(trial):
    lab = trial.lab()
    for hold, longest in ((min(patience(), 2.0), HANGS_SECONDS), (1.0, HANGS_SECONDS), (0.5, 0.5)):
        case = killed_meanwhile(trial, lab, hold, longest)
        if not timed_out(case):
            break
    else:
        raise missed("kill while the mail server hangs", "the call timed out before, three times")
    yield from wished(case, lambda: outrun(trial, lab, case))


def outrun(trial, lab, earlier):
    """What is to be said when an order ends before a mail that takes longer than its timers.

    The service is frozen, as the mail server would make it give up, until the longest timer of an
    earlier order would have fired. Then it may go on, and no mail can arrive yet.
    """
    timers = [s for s in earlier.steps() if s.due and s.timer_for == "createTimer"]
    longest = max(((s.due - s.began).total_seconds() for s in timers), default=0.0)
    if not 0 < longest <= TIMER_SECONDS:
        return ""
    with lab.frozen("mail"):
        with lab.frozen(NOTIFICATIONS, "worker"):
            case = trial.order()
            came_true(lambda: case.run.has_ended, longest + 1)
        came_true(lambda: case.run.has_ended, HANGS_SECONDS)
        is_early = case.run.status == "COMPLETED"
    return "but its end where the mail takes longer than a timer" if is_early else ""


def killed_meanwhile(trial, lab, hold, longest):
    """Order; kill the orchestrator while the mail server hangs.

    It hangs for ``hold`` seconds; where the workflow waits for a timer, too, until that has fired,
    at most for ``longest``: who goes on without the mail is to be seen.
    """
    with lab.frozen("mail"):
        case = trial.order()
        wait_until(lambda: hands_over(lab, case), 10 * patience(), "the hand-over of the mail")
        poll(lambda: case.run.has_ended, within=max(hold, min(to_a_timer(case), longest)))
        lab.kill(ORCHESTRATOR, "worker")
    lab.up(ORCHESTRATOR, within=READY_SECONDS, announce=False)
    case.settled(5 * patience())
    return case


def to_a_timer(case):
    """Seconds until the first timer of the workflow has fired, and a little more; 0 without one."""
    now = datetime.now(timezone.utc)
    dues = [(s.due - now).total_seconds() for s in case.steps() if s.due and not s.ended]
    return min(dues) + 0.4 if dues else 0.0


def hands_over(lab, case):
    return lab.callers("mail") or case.run.has_ended


def wished(case, problem=lambda: ""):
    yield ended(case, within=5 * patience())
    yield mailed(case)
    arrived = Check(
        "arrived",
        "the workflow ended after its mail had arrived",
        "the mail first",
        lambda: which_first(case),
        "lab.inbox, and the steps of lab.run(ID).history",
    )
    yield besides(arrived, problem)
    yield from as_before(case)


def which_first(case):
    done = next(e.time for e in case.history.events if e.kind == "executionCompleted")
    keys = {s.task_execution_id for s in case.steps()}
    mails = [m for m in case.lab.inbox if m.idempotency_key in keys]
    late = [m for m in mails if m.received_at > done.timestamp()]
    return "the end of the workflow first" if late else "the mail first"
