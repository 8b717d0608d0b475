"""Large orders wait for an approval, in time, before anybody is charged; small ones do not."""

import json
import time
from dataclasses import replace

from labkit.exercises.cases import part
from labkit.exercises.observations import Check, ended
from labkit.exercises.shop import INVENTORY, cancelled, drawn, fulfilled, row_of, status_is
from labkit.waiting import patience, wait_until

READY_SECONDS = 30.0
MOMENT_SECONDS = 15.0
LARGE = 1000
SHORT_SECONDS, LONG_SECONDS, OTHER_SECONDS = 3, 600, 1200
OTHER_ANSWERS = ("empty", "unsaid", "in words", "no map")
NEVER = 9000
"""The year of a timer that stands for a wait without a time-out."""
RETRY = ("activityRetry", "childWorkflowRetry")


def wished(case):
    yield ended(case, within=6.0)
    yield status_is(case, "cancelled")
    yield from cancelled(case)


def counter(trial):
    trial.lab(APPROVAL_SECONDS=str(SHORT_SECONDS))
    silent = large(trial, amount=LARGE)
    small = trial.order(given=drawn(trial.draw, amount=LARGE - 1))
    yield ended(silent, within=6.0)
    yield status_is(silent, "cancelled", "when nobody answers, ")
    yield waits_so_long(silent, SHORT_SECONDS, "when nobody answers, ")
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
        "unsaid": {"note": trial.draw.text(2)},
        "in words": {"approved": "no"},
        "no map": trial.draw.word(),
        "restarted": {"approved": True},
    }
    cases = {id: large(trial) for id in asked}
    for case in cases.values():
        within = MOMENT_SECONDS * patience()
        wait_until(lambda c=case: row_of(c, "release_inventory"), within, "the reservation")
        wait_until(lambda c=case: waits(c) or c.run.has_ended, within, "it waits")
    began = time.monotonic()
    yield not_charged(cases["yes"])
    for id in ("yes", "no", *OTHER_ANSWERS):
        client.raise_workflow_event(cases[id].instance_id, "approval", data=asked[id])
    wait_until(lambda: cases["no"].run.has_ended, within, "the end after a no")
    for id in OTHER_ANSWERS:
        wait_until(lambda c=cases[id]: c.run.has_ended, within, "the end after another answer")
    yield status_is(cases["no"], "cancelled", "after a no, ", id="no")
    yield from cancelled(cases["no"], "after a no, ")
    yield nothing_approved([(asked[id], cases[id]) for id in OTHER_ANSWERS])
    wait_until(lambda: cases["yes"].run.has_ended, within, "the end after a yes")
    yield status_is(cases["yes"], "fulfilled", "after a yes, ", id="yes")
    yield from fulfilled(cases["yes"], "after a yes, ")
    late = other_time_out(trial, lab)
    restarted = cases["restarted"]
    # A wait of so many seconds as in the first lab is over by now.
    time.sleep(max(0.0, began + SHORT_SECONDS + 1.5 - time.monotonic()))
    client.raise_workflow_event(restarted.instance_id, "approval", data=asked["restarted"])
    wait_until(lambda: restarted.run.has_ended, within, "the end after a restart")
    yield status_is(restarted, "fulfilled", "after a restart and a yes, ", id="restarted")
    yield waits_so_long(late, LONG_SECONDS, "after a restart with another setting, ")


def other_time_out(trial, lab):
    """Restart order-api with a longer time-out; return an order that was checked before that."""
    within = MOMENT_SECONDS * patience()
    with lab.frozen(INVENTORY, "worker"):
        case = large(trial)
        wait_until(lambda: case.steps("reserve_inventory"), within, "the call of the inventory")
        lab.kill("order-api")
        app = lab.app("order-api")
        app.spec = replace(app.spec, env={**app.spec.env, "APPROVAL_SECONDS": str(OTHER_SECONDS)})
        lab.up("order-api", within=READY_SECONDS, announce=False)
    wait_until(lambda: waits(case) or case.run.has_ended, within, "it waits")
    return case


def large(trial, **changes):
    return trial.order(given=drawn(trial.draw, **{"amount": trial.draw.number(), **changes}))


def waits(case):
    """Whether a timer of the workflow runs: then it waits for the event, too."""
    return any(s.due and not s.ended for s in case.steps())


def waits_so_long(case, seconds, when):
    """By the timers of the workflow: no clock of a slow machine decides."""

    def observe():
        waits = [
            s for s in case.steps() if s.due and s.due.year < NEVER and s.timer_for not in RETRY
        ]
        longest = max(((s.due - s.began).total_seconds() for s in waits), default=0.0)
        late = longest > seconds + 1
        return f"{longest:.0f} s, and approve_within was {seconds}" if late else "approve_within"

    return Check(
        "timeout",
        f"{when}the order waits no longer than validate_order said for it",
        "approve_within",
        observe,
        "the timer in lab.run(ID).history, and the answer of validate_order",
    )


def nothing_approved(answers):
    """An answer that is no approval cancels the order, whatever it looks like."""

    def observe():
        found = [(given, case.run.status, part(case.output, "status")) for given, case in answers]
        wrong = [
            f"{status if ended == 'COMPLETED' else ended} after {json.dumps(given)}"
            for given, ended, status in found
            if status != "cancelled"
        ]
        return ", ".join(wrong) or "cancelled"

    return Check(
        "nothing",
        "an answer that is no approval cancels the order, whatever its data are",
        "cancelled",
        observe,
        "what your workflow does with the data of the event",
    )


def not_charged(case):
    return Check(
        "charged",
        "nobody is charged while a large order waits",
        "no payment",
        lambda: "1 payment" if row_of(case, "refund_payment") else "no payment",
        'lab.ledger("payment-service", "payments")',
    )
