"""Large orders wait for an approval, in time, before anybody is charged; small ones do not."""

from labkit.exercises.cases import part
from labkit.exercises.observations import Check, besides, ended
from labkit.exercises.shop import cancelled, drawn, fulfilled, row_of, status_is
from labkit.waiting import patience, wait_until

READY_SECONDS = 30.0
MOMENT_SECONDS = 15.0
SHORT_SECONDS, LONG_SECONDS = 3, 600
NEVER = 9000
"""The year of a timer that stands for a wait without a time-out."""
RETRY = ("activityRetry", "childWorkflowRetry")


def wished(case):
    yield ended(case, within=6.0)
    yield status_is(case, "cancelled")
    yield from cancelled(case)


def counter(trial):
    trial.lab(APPROVAL_SECONDS=str(SHORT_SECONDS))
    silent = large(trial)
    small = trial.order(given=drawn(trial.draw))
    yield ended(silent, within=6.0)
    cancelled_in_time = status_is(silent, "cancelled", "when nobody answers, ")
    yield besides(cancelled_in_time, lambda: too_long(silent))
    yield from cancelled(silent, "when nobody answers, ")
    small.settled()
    yield status_is(small, "fulfilled", "for a small order, ", id="small")
    yield from fulfilled(small, "for a small order, ")
    yield from answered(trial)


def answered(trial):
    """Answers that come while the workflow waits; the time-out is far away."""
    lab = trial.lab(APPROVAL_SECONDS=str(LONG_SECONDS))
    client = lab.client("order-api")
    asked = {
        "yes": {"approved": True},
        "no": {"approved": False},
        "empty": {"approved": None},  # an empty map would arrive as nothing at all
        "restarted": {"approved": True},
    }
    cases = {id: large(trial) for id in asked}
    for case in cases.values():
        within = MOMENT_SECONDS * patience()
        wait_until(lambda c=case: row_of(c, "release_inventory"), within, "the reservation")
        wait_until(lambda c=case: waits(c) or c.run.has_ended, within, "it waits")
    yield not_charged(cases["yes"])
    for id in ("yes", "no", "empty"):
        client.raise_workflow_event(cases[id].instance_id, "approval", data=asked[id])
    wait_until(lambda: cases["no"].run.has_ended, within, "the end after a no")
    wait_until(lambda: cases["empty"].run.has_ended, within, "the end after an empty answer")
    no = status_is(cases["no"], "cancelled", "after a no, ", id="no")
    yield besides(no, lambda: taken_for_a_yes(cases["empty"]))
    yield from cancelled(cases["no"], "after a no, ")
    wait_until(lambda: cases["yes"].run.has_ended, within, "the end after a yes")
    yield status_is(cases["yes"], "fulfilled", "after a yes, ", id="yes")
    yield from fulfilled(cases["yes"], "after a yes, ")
    lab.kill("order-api")
    lab.up("order-api", within=READY_SECONDS, announce=False)
    restarted = cases["restarted"]
    client.raise_workflow_event(restarted.instance_id, "approval", data=asked["restarted"])
    wait_until(lambda: restarted.run.has_ended, within, "the end after a restart")
    yield status_is(restarted, "fulfilled", "after a restart and a yes, ", id="restarted")


def large(trial):
    return trial.order(given=drawn(trial.draw, amount=trial.draw.number()))


def waits(case):
    """Whether a timer of the workflow runs: then it waits for the event, too."""
    return any(s.due and not s.ended for s in case.steps())


def too_long(case):
    """By the timers of the workflow: no clock of a slow machine decides."""
    timers = [s for s in case.steps() if s.due and s.due.year < NEVER and s.timer_for not in RETRY]
    longest = max(((s.due - s.began).total_seconds() for s in timers), default=0.0)
    late = longest > SHORT_SECONDS + 1
    return f"it waits for {longest:.0f} s, and approve_within is {SHORT_SECONDS}" if late else ""


def taken_for_a_yes(case):
    status = part(case.output, "status")
    return "" if status == "cancelled" else f"{status} after an answer that approves nothing"


def not_charged(case):
    return Check(
        "charged",
        "nobody is charged while a large order waits",
        "no payment",
        lambda: "1 payment" if row_of(case, "refund_payment") else "no payment",
        'lab.ledger("payment-service", "payments")',
    )
