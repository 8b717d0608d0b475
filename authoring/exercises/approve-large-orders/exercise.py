# %% [markdown] tags=["story"]
# Orders of 1,000 or more need somebody's approval. `validate_order` already says so: its answer holds `approve_within`, the seconds that may take, or None for a small order. Nobody reads it.

# %% [markdown] tags=["wanted"]
# - a large order reserves its goods, then waits for the event `approval`; the customer is not charged yet
# - with the data `{"approved": true}` it goes on; with anything else it is cancelled
# - without an answer within `approve_within` seconds it is cancelled, too
# - a cancelled order leaves nothing in the ledgers, and says in `undone` what was undone
# - small orders wait for nobody, and a restart of `order-api` changes nothing

# %% [markdown] tags=["scenario"]
# Nobody answers for this order. In this exercise an approval may take three seconds.

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
    print("status:", lab.run("order").settle(8))
    print(lab.run("order").output)


# %% tags=["look"]
lab.run("order").show()

# %% [markdown] tags=["plan"]
# After the reservation I race the event with a timer of approve_within seconds, and raise Refused unless the event won and says approved; the ledger will have released_at.

# %% [markdown] tags=["expert"]
# Three decisions make this wait safe. It has an end: the event races with a timer, and no answer counts as a no. It has a place: after the reservation, so that the goods are there when the yes comes, and before the charge, so that nobody pays for an order that is then refused. And it fails like every other step: `Refused` is raised inside the `try`, so the way back is the one that exists already.
#
# The time-out comes from the answer of `validate_order`, so it stands in the history. A restart with another setting changes no order that is under way.
