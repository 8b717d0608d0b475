# %% [markdown] tags=["story"]
# The shop has one desk. Nobody has bought it, and since last week nobody can. Most other goods can be bought as always.

# %% [markdown] tags=["scenario"]
# A customer orders the desk for 1,500, and nobody in the shop approves it. Then another customer orders it for 900, which needs no approval.

# %% tags=["scenario"]
order = {
    "order_id": "o-1",
    "item": "desk",
    "quantity": 1,
    "amount": 1500,
    "customer_email": "alice@example.com",
}


def scenario(lab):
    lab.up(announce=False)
    client = lab.client("order-api")
    client.schedule_new_workflow("fulfil_order", input=order, instance_id="order")
    print("first:", lab.run("order").wait().output)
    another = {**order, "order_id": "o-2", "amount": 900}
    client.schedule_new_workflow("fulfil_order", input=another, instance_id="next")
    print("next: ", lab.run("next").wait().output)


# %% tags=["look"]
lab.ledger("inventory-service", "stock")

# %% tags=["look"]
[
    (row["order_id"], row["quantity"], row["released_at"])
    for row in lab.ledger("inventory-service", "reservations")
]

# %% [markdown] tags=["plan"]
# An order that is not approved fails before release_inventory is noted, so its reservation stays open; in the history of the first order no compensation is called.

# %% [markdown] tags=["expert"]
# Symptom: the shelf has no desk, and the reservation of a cancelled order has no `released_at`. The history of that order ends after the timer, without any compensation, and `undone` is empty. Other orders that fail are undone, so the compensation itself works. What differs is the path: this order failed between the reservation and the line that notes its compensation.
#
# A saga has as many paths as it has places that can fail, and a wait for a person is one of them. When the note stands right before its step, no path can lie between the two.
