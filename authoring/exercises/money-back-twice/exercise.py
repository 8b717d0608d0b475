# %% [markdown] tags=["story"]
# A customer writes: "Thank you for returning the money. Why did you return it twice?" `payment-service` notes what it returns in the table `refunds` of its ledger. On that day it had been restarted.

# %% [markdown] tags=["scenario"]
# The bank is slow: it answers four seconds after the money has moved. The service is killed in between, when the refund is in the ledger.

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
    run = lab.run("order")
    wait_until(lambda: lab.ledger("payment-service", "refunds") or run.has_ended, 60, "the refund")
    lab.kill("payment-service", "worker")
    lab.up("payment-service", announce=False)
    print("status:", lab.run("order").settle(10))


# %% tags=["look"]
print(lab.run("order").output)
lab.ledger("payment-service", "refunds")

# %% tags=["look"]
[row["activity"] for row in lab.ledger("payment-service", "attempts")]

# %% [markdown] tags=["plan"]
# refund_payment was started a second time after the kill, and it pays whenever there is a payment, without looking whether that was refunded before.

# %% [markdown] tags=["expert"]
# Symptom: one order, two refunds. The history shows one call of `refund_payment`, `attempts` shows two starts. The first start had paid, and was killed before its answer was noted. A compensation is an activity like any other: at least once, not exactly once. So it needs what every step of a saga needs: a durable note, written in the same transaction as the effect, under a key that the second start finds.
#
# What it answers matters, too. The second start has nothing to do, yet it has to say that the payment is undone: the workflow sees no other answer.
