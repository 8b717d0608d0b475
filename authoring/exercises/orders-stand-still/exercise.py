# %% [markdown] tags=["story"]
# Since this week each order comes with the letter of its customer, and `approvals` reads it. The store of these apps lies on a volume of a fixed size, so what has completed is removed after a second (`retention.yaml`). What has failed stays until somebody has read it. All went well for some hours. Then every order stands still, whichever app has it.

# %% [markdown] tags=["scenario"]
# Six hours of two seconds, with four orders each. Before them comes `order-bad`, which has no amount: its approval fails.

# %% tags=["scenario"]
import time
from contextlib import suppress

from labkit.errors import ObservationError
from labkit.exercises.observations import came_true

NAMES = [f"order-{number}" for number in range(24)]


def order(lab, name, amount=10):
    bill = {"order": name, "amount": amount}
    lab.client("orders").schedule_new_workflow("order", input=bill, instance_id=name)


def charged(lab):
    return {row["order_id"] for row in lab.ledger("payments", "charges")}


def hour(lab, names):
    with suppress(ObservationError):  # refused, so it is not charged
        for name in names:
            order(lab, name)
    return came_true(lambda: charged(lab).issuperset(names), 8)


# %% tags=["scenario"]
def scenario(lab):
    lab.up(announce=False)
    order(lab, "order-bad", 0)
    for first in range(0, len(NAMES), 4):
        if not hour(lab, NAMES[first : first + 4]):
            print("the orders of this hour stand still")
            return
        time.sleep(2)
    print("all orders are charged")


# %% tags=["look"]
lab.run("order-bad").show()

# %% tags=["look"]
lab.status()

# %% [markdown] tags=["plan"]
# The sidecars say that the store is full; approvals still has every approval that has completed, since the policy is read by orders alone and does not follow its children; I let approvals read it, too.

# %% [markdown] tags=["expert"]
# Symptom: everything stands still at once, in all apps, and no order that stands still has an error in its history. So it is something that they share. The sidecar of `orders` guesses, of `approvals`: "the app may not be available". That of `approvals` knows: `database or disk is full`. Nothing is lost: the runtime tries again, and goes on as soon as there is room. Only what is new is refused, or waits.
#
# What fills the store? Ask each app for its instances:
#
# `from labkit.history import instance_ids_of`
#
# `{a: len(instance_ids_of(lab.app(a).grpc_address, lab.app(a).shared.token)) for a in ("orders", "approvals")}`
#
# `orders` has `order-bad` and what stands still, as its policy says. `approvals` has one instance for each order that ever was. A purge follows the children into other apps; a retention policy does not, so each app that hosts a workflow needs its own. A larger volume only moves the hour at which this comes back.
#
# If the store is full and the orders cannot wait, a purge makes room, and the order that stood still is charged a moment later. Purge the children by their names, `lab.client("approvals").purge_workflow("approval-order-0")`: the parents are gone, so nobody follows them (`no such instance exists`).
