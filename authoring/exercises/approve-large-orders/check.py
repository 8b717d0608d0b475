"""Large orders wait for an approval, in time, before anybody is charged; small ones do not."""

from labkit.exercises.observations import Check, ended
from labkit.exercises.shop import cancelled, drawn, fulfilled, row_of, status_is
from labkit.waiting import patience, wait_until

READY_SECONDS = 30.0
MOMENT_SECONDS = 15.0
LONG_SECONDS = 60


def wished(case):
    yield ended(case, within=6.0)
    yield status_is(case, "cancelled")
    yield from cancelled(case)


def counter(trial):
    trial.lab(APPROVAL_SECONDS="3")
    silent = large(trial)
    small = trial.order(given=drawn(trial.draw))
    yield ended(silent, within=6.0)
    yield status_is(silent, "cancelled", "when nobody answers, ")
    yield from cancelled(silent, "when nobody answers, ")
    small.settled()
    yield status_is(small, "fulfilled", "for a small order, ", id="small")
    yield from fulfilled(small, "for a small order, ")
    yield from answered(trial)


def answered(trial):
    """Answers that come while the workflow waits; the time-out is far away."""
    lab = trial.lab(APPROVAL_SECONDS=str(LONG_SECONDS))
    client = lab.client("order-api")
    asked = {"yes": {"approved": True}, "no": {"approved": False}, "restarted": {"approved": True}}
    cases = {id: large(trial) for id in asked}
    for case in cases.values():
        within = MOMENT_SECONDS * patience()
        wait_until(lambda c=case: row_of(c, "release_inventory"), within, "the reservation")
        wait_until(lambda c=case: waits(c) or c.run.has_ended, within, "it waits")
    yield not_charged(cases["yes"])
    for id in ("yes", "no"):
        client.raise_workflow_event(cases[id].instance_id, "approval", data=asked[id])
    wait_until(lambda: cases["no"].run.has_ended, within, "the end after a no")
    yield status_is(cases["no"], "cancelled", "after a no, ", id="no")
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


def not_charged(case):
    return Check(
        "charged",
        "nobody is charged while a large order waits",
        "no payment",
        lambda: "1 payment" if row_of(case, "refund_payment") else "no payment",
        'lab.ledger("payment-service", "payments")',
    )
