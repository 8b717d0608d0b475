# %% [markdown] tags=["story"]
# A customer has paid and was told by mail that the order is on its way. Nothing has arrived for weeks. In the list of orders it stands as fulfilled.

# %% tags=["scenario"]
order = {
    "order_id": "o-1",
    "item": "lamp",
    "quantity": 1,
    "amount": 120,
    "customer_email": "alice@example.com",
    "country": "AQ",
}


def scenario(lab):
    lab.up(announce=False)
    client = lab.client("order-api")
    client.schedule_new_workflow("fulfil_order", input=order, instance_id="order")
    print("status:", lab.run("order").settle())
    print(lab.run("order").output)
    print("mails:", len(lab.inbox))


# %% tags=["look"]
lab.run("order").show()

# %% tags=["look"]
{
    app_id: len(lab.ledger(app_id, table))
    for app_id, table in (
        ("inventory-service", "reservations"),
        ("payment-service", "payments"),
        ("shipping-service", "deliveries"),
    )
}

# %% [markdown] tags=["plan"]
# schedule_delivery answered that it refuses, the workflow does not read that answer, and so it goes on as if the parcel had left.

# %% [markdown] tags=["expert"]
# Symptom: the result says fulfilled, and there is no delivery in the ledger. The history shows `schedule_delivery` as completed, and its answer: `{"refused": "no deliveries to AQ"}`. A completed activity is one that answered; the workflow has to read the answer. The other steps go through `step`, which raises a refusal, so the failure has one way out.
#
# A service could also raise for a refusal. Then nobody could forget to read it, but each retry policy would try it again, unless the error is called `NonRetryableError`.
