# %% [markdown] tags=["story"]
# The orchestrator has a new workflow, `task_by_sms`. It calls an activity `send_sms` in `notification-service` with `phone` and `message`. Nobody has written that activity yet.

# %% [markdown] tags=["wanted"]
# - the workflow completes
# - the ledger of `notification-service` has one delivery, channel `sms`, for that phone
# - the key of the delivery is the one that stays the same when the call is repeated
# - no real SMS is sent: a log line in place of the provider will do

# %% tags=["scenario"]
order = {"task_id": "task-123", "title": "Review PR", "phone": "+49 30 1234"}


def scenario(lab):
    lab.up(announce=False)
    client = lab.client("task-orchestrator-service")
    client.schedule_new_workflow("task_by_sms", input=order, instance_id="order")
    print("status:", lab.run("order").settle())

# %% tags=["look"]
print(lab.run("order").failure.message)

# %% [markdown] tags=["plan"]
# I add an activity registered as send_sms that goes through deliver_once; the ledger will have a row with channel sms.

# %% [markdown] tags=["expert"]
# Three things make an activity of a service: a name in the decorator, one input that is plain JSON, and a key that stays when the call is repeated. Everything else was there: `deliver_once` writes the ledger. Nothing had to be told to the orchestrator or to Dapr; the name was enough.
