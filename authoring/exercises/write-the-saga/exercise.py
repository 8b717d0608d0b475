# %% [markdown] tags=["story"]
# Somebody has removed the way back from `fulfil_order`: when a step fails, the order ends as cancelled, and all that was done before stays as it is. `ship_order` still has its own, for one step.

# %% [markdown] tags=["wanted"]
# - an order that fails at any step ends as `cancelled`, and nothing of it is left in the ledgers
# - what was done is undone in reverse order, also when a step has failed and done its work all the same
# - `undone` in the result names the compensations that undid something, in their order
# - `not_undone` holds `{"step": …, "reason": …}` for each that could not; the others are carried out
# - all this holds when services are killed, at any event: the check draws three

# %% [markdown] tags=["scenario"]
# The order goes to Antarctica, where nobody delivers.

# %% tags=["scenario"]
order = {
    "order_id": "o-1",
    "item": "book",
    "quantity": 2,
    "amount": 50,
    "customer_email": "alice@example.com",
    "country": "AQ",
}


def scenario(lab):
    lab.up(announce=False)
    client = lab.client("order-api")
    client.schedule_new_workflow("fulfil_order", input=order, instance_id="order")
    print("status:", lab.run("order").settle())
    print(lab.run("order").output)


# %% tags=["look"]
[
    (row["order_id"], row["amount"], row["refunded_at"])
    for row in lab.ledger("payment-service", "payments")
]

# %% [markdown] tags=["plan"]
# I note the compensation of each step in a list before the step is called, and call the list in reverse in the except; the ledgers will have released_at and refunded_at.

# %% [markdown] tags=["expert"]
# The list is filled *before* each step: a step that fails may have done its work and lost its answer, as with the bank that takes the money and never answers. So a compensation is also called where nothing was done, and says so; the result names only those that undid something. Each compensation has a `try` of its own: one that is refused must not keep the others from being carried out, and it is reported.
#
# No code protects the list from a kill. It is rebuilt by replay, like every variable of a workflow.
