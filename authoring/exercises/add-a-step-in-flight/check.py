"""New orders are insured, and orders that were under way end as they would have ended."""

from labkit import paths
from labkit.cuts.raising import failing, hooked
from labkit.exercises.cases import Case
from labkit.exercises.observations import Check, besides, broken, ended, missed, ordered
from labkit.exercises.shop import (
    EFFECTS,
    ORDER_API,
    PAYMENT,
    SHIPPING,
    cancelled,
    drawn,
    fulfilled,
    row_of,
    status_is,
)
from labkit.waiting import patience, wait_until

MOMENT_SECONDS = 30.0
READY_SECONDS = 30.0
TODAY = paths.repo() / "services" / "fulfilment" / ORDER_API / "main.py"
INSURANCE = {"cancel_insurance": (SHIPPING, "insurances", "amount", "cancelled_at")}
NEW = {
    name: effect
    for part in (list(EFFECTS.items())[:2], INSURANCE.items(), list(EFFECTS.items())[2:])
    for name, effect in part
}


def steps(lab):
    cases = {n: Case(lab, n, "fulfil_order") for n in ("flight", "waited", "order", "far")}
    for case in cases.values():
        yield ordered(case)
    yield from wished(*cases.values())


def wished(flight, waited, order, far):
    yield ended(flight, id="flight")
    yield from cancelled(flight, "for an order that was under way, ")
    yield ended(order)
    yield insured(order)
    yield early(order)
    yield from fulfilled(order)
    yield ended(far)
    yield insured(far, "cancelled")
    yield from cancelled(far, effects=NEW)
    yield ended(waited, id="waited")
    yield status_is(waited, "fulfilled", "after its approval, ", id="waited")
    yield from fulfilled(waited)


def counter(trial):
    lab = today(trial)
    within = MOMENT_SECONDS * patience()
    with lab.frozen(SHIPPING, "worker"):
        flight = trial.order(given=drawn(trial.draw, country="AQ"))
        waited = trial.order(given=drawn(trial.draw, amount=trial.draw.number()))
        wait_until(lambda: flight.steps("schedule_delivery"), within, "the call of shipping")
        wait_until(lambda: "timerCreated" in waited.history.kinds, within, "the wait")
        release(lab, "main.py")
        lab.kill(ORDER_API, "worker")
        lab.up(ORDER_API, within=READY_SECONDS, announce=False)
    client = lab.client(ORDER_API)
    client.raise_workflow_event(waited.instance_id, "approval", data={"approved": True})
    order = trial.order(given=drawn(trial.draw))
    far = trial.order(given=drawn(trial.draw, country="AQ"))
    yield from wished(flight, waited, order, far)
    yield from restarted(trial, lab)


def restarted(trial, lab):
    """A new order is being undone while order-api is started once more, on another machine."""
    within = MOMENT_SECONDS * patience()
    with lab.frozen(SHIPPING, "worker"):
        case = trial.order(given=drawn(trial.draw, country="AQ"))
        wait_until(lambda: case.steps("insure_parcel"), within, "the call of the insurance")
        lab.kill(PAYMENT)
    wait_until(lambda: case.steps("cancel_insurance"), within, "the way back")
    trial.replaced(ORDER_API)
    lab.up(within=READY_SECONDS, announce=False)
    how = "after one more restart, "
    yield ended(case, within=5 * patience(), id="again")
    for one in cancelled(case, how, effects=NEW):
        yield besides(one, lambda: lost(trial, lab)) if one.id == "reverse" else one


def lost(trial, lab):
    """What is left of an order that is insured and the answer is lost, if anything."""
    with failing(lab, "insure_parcel", "after") as raised:
        case = trial.order(given=drawn(trial.draw, country="AQ"))
        how = "when the answer of insure_parcel is lost, "
        found = broken(cancelled(case, how, effects=NEW))
    if not found and not raised():
        raise missed("the answer of insure_parcel is lost", "the order ended without that")
    return found


def today(trial):
    """Return a second lab in which today's release of order-api runs."""
    lab = trial.lab("notification-service", SIDECAR_SECONDS="30", **hooked())
    release(lab, TODAY)
    lab.up(within=READY_SECONDS, announce=False)
    return lab


def release(lab, program):
    file = lab.folder / "ledgers" / f"{ORDER_API}.sqlite.release"
    file.parent.mkdir(exist_ok=True)
    file.write_text(str(program))


def insured(case, what="insured"):
    def observe():
        row = row_of(case, "cancel_insurance", NEW)
        return "not insured" if row is None else "cancelled" if row["cancelled_at"] else "insured"

    return Check(
        "insured",
        f"the insurance of the new order {case.name} is as it should be",
        what,
        observe,
        f'lab.ledger("{SHIPPING}", "insurances")',
        (lambda seen: seen != "not insured") if what == "cancelled" else None,
    )


def early(case):
    """The insurance is called before the delivery."""
    names = ("insure_parcel", "schedule_delivery")
    one = Check(
        "early",
        f"the parcel of the order {case.name} is insured before its delivery is scheduled",
        ", ".join(names),
        lambda: ", ".join(s.name for s in case.steps() if s.name in names),
        f"lab.run({case.instance_id!r}).history.steps()",
    )
    return besides(one, lambda: not_charged(case))


def not_charged(case):
    """Whether the insurance was called when nobody had paid."""
    paid = [s.ended for s in case.steps("charge_payment") if s.ended]
    begun = [s.began for s in case.steps("insure_parcel")]
    return "insured before it was charged" if paid and begun and min(begun) < min(paid) else ""
