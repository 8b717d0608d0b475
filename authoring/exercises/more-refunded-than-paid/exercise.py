# %% [markdown] tags=["story"]
# At the end of the month money is missing. More was returned to customers than they had ever paid. `payment-service` notes what it returns in the table `refunds` of its ledger.

# %% tags=["scenario"]
order = {
    "order_id": "o-1",
    "item": "lamp",
    "quantity": 1,
    "amount": 120,
    "customer_email": "alice@example.com",
    "card": "declined",
}


def scenario(lab):
    lab.up(announce=False)
    client = lab.client("order-api")
    client.schedule_new_workflow("fulfil_order", input=order, instance_id="order")
    print("status:", lab.run("order").settle())
    print(lab.run("order").output)


# %% tags=["look"]
{table: lab.ledger("payment-service", table) for table in ("payments", "refunds")}

# %% tags=["look"]
lab.run("order").show()

# %% [markdown] tags=["plan"]
# refund_payment returns the amount of the order without looking whether it was paid; the saga calls it for a charge that was refused, as it has to.

# %% [markdown] tags=["expert"]
# Symptom: a refund, and no payment. The history shows that the charge was refused and that `refund_payment` was called all the same. That call is right: a saga calls the compensation of the step that failed, too, because a step can fail and have done its work. So the service has to look. It knows what was paid; the workflow does not.
#
# Noting the refund only after a successful charge looks like a repair, and loses the money of the customer whose bank took it and never answered.
