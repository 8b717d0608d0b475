# %% [markdown] tags=["story"]
# Parcels get lost. `shipping-service` can insure them now: it has the activities `insure_parcel` and `cancel_insurance`. `order-api` calls neither. It runs day and night, with orders under way at any moment.

# %% [markdown] tags=["wanted"]
# - a new order is insured after it was charged, and before its delivery is scheduled
# - when a new order is cancelled, so is its insurance, in reverse order with the rest
# - an order that was under way when the new release came ends as it would have ended
# - an order that waited for its approval at that moment can still be approved

# %% [markdown] tags=["scenario"]
# Today's release of `order-api` takes two orders: `flight` waits for `shipping-service`, which hangs, and `waited` for its approval. Then your release is started, and takes `order` and `far`.

# %% tags=["scenario"]
order = {
    "order_id": "o-1",
    "item": "book",
    "quantity": 1,
    "amount": 120,
    "customer_email": "alice@example.com",
}


def place(lab, name, **changes):
    given = {**order, "order_id": name, **changes}
    client = lab.client("order-api")
    client.schedule_new_workflow("fulfil_order", input=given, instance_id=name)


def called(lab, name, step):
    return any(s.name == step for s in lab.run(name).history.steps())


# %% tags=["scenario"]
from labkit import paths

TODAY = paths.repo() / "services" / "fulfilment" / "order-api" / "main.py"


def release(lab, program):
    file = lab.folder / "ledgers" / "order-api.sqlite.release"
    file.parent.mkdir(exist_ok=True)
    file.write_text(str(program))


def scenario(lab):
    release(lab, TODAY)
    lab.up(announce=False)
    with lab.frozen("shipping-service", "worker"):
        place(lab, "flight", country="AQ")
        place(lab, "waited", amount=1500)
        wait_until(lambda: called(lab, "flight", "schedule_delivery"), 60)
        wait_until(lambda: "timerCreated" in lab.run("waited").history.kinds, 60)
        release(lab, "main.py")
        lab.restart("order-api", announce=False)
    lab.client("order-api").raise_workflow_event("waited", "approval", data={"approved": True})
    place(lab, "order")
    place(lab, "far", country="AQ")
    for name in ("flight", "waited", "order", "far"):
        print(name, lab.run(name).settle())


# %% tags=["look"]
lab.ledger("shipping-service", "insurances")

# %% [markdown] tags=["plan"]
# I call insure_parcel before schedule_delivery, with its compensation noted first, both under is_patched, so that flight keeps its old path.

# %% [markdown] tags=["expert"]
# An instance that has passed the place of the new step has a history without it. Replay compares the two and ends the instance with a `NonDeterminismError`, in the middle of a saga: charged, and nobody undoes it. `ctx.is_patched` answers False for such an instance and True for one that has not come so far, and records the answer, so each replay decides the same way.
#
# The note of the compensation belongs to the step, so it stands under the same condition. Noted for old orders as well, it would do no harm here: a compensation accepts that there is nothing to undo.
