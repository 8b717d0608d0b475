# %% [markdown] tags=["story"]
# Somebody has simplified the end of `fulfil_order`: the mail that confirms an order is one more step. Since then an order is not finished while `notification-service` is away, although the goods are on their way and paid.

# %% [markdown] tags=["wanted"]
# - an order whose delivery is scheduled ends as `fulfilled`, whether its mail is sent, refused, or cannot be handed over since `notification-service` is away
# - it waits for the mail for `PATIENCE` at most; `confirmed` in the result says whether the mail was sent in that time
# - a mail that was not sent in time is sent when `notification-service` is back, once
# - all else is as before

# %% [markdown] tags=["scenario"]
# The order is placed while `notification-service` is away.

# %% tags=["scenario"]
order = {
    "order_id": "o-1",
    "item": "book",
    "quantity": 2,
    "amount": 50,
    "customer_email": "alice@example.com",
}


def scenario(lab):
    lab.up(announce=False)
    lab.stop("notification-service")
    client = lab.client("order-api")
    client.schedule_new_workflow("fulfil_order", input=order, instance_id="order")
    print("while it is away:", lab.run("order").settle(8))
    lab.up("notification-service", announce=False)
    print("when it is back: ", lab.run("order").settle(8), lab.run("order").output)

# %% tags=["look"]
lab.run("order").show()

# %% [markdown] tags=["plan"]
# I move the call into a child workflow of order-api and race the child with a timer of PATIENCE; the result says confirmed False, and the mail comes when the service is back.

# %% [markdown] tags=["expert"]
# The call of an activity in an app that is not running cannot be abandoned: the sidecar of the caller tries to hand over the call, and until that succeeds the workflow gets no turn, not even for a timer that is due. So a race with a timer in the same workflow is lost before it begins. A child is another workflow: only the child is held up.
#
# The child goes on when its parent has ended, so the mail arrives later. And after the pivot there is no failure any more that belongs to the order: a child that has failed is a fact for the result, and no exception.
