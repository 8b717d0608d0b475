# %% [markdown] tags=["story"]
# The orchestrator has a new workflow, `task_by_sms`. It calls an activity `send_sms` in `notification-service` with `phone` and `message`. Nobody has written that activity yet.

# %% [markdown] tags=["wanted"]
# - the workflow completes
# - for each order, the table `deliveries` in the ledger of `notification-service` gets one row with the channel `sms` and the order's phone number, also when two orders are alike
# - the key of the delivery is that of the call, which is the same when the runtime repeats it: a repeated call adds no second row and sends no second SMS
# - there is no SMS provider yet: a log line with the phone number and the message takes its place

# %% tags=["scenario"]
order = {"task_id": "task-123", "title": "Review PR", "phone": "+49 30 1234"}


def scenario(lab):
    lab.up(announce=False)
    client = lab.client("task-orchestrator-service")
    client.schedule_new_workflow("task_by_sms", input=order, instance_id="order")
    print("status:", lab.run("order").settle())


# %% tags=["look"]
failure = lab.run("order").failure
print(f"{failure.error_type}: {failure.message}" if failure else "no failure")

# %% [markdown] tags=["plan"]
# I add an activity registered as send_sms that goes through deliver_once; the ledger will have a row with channel sms and the key of the call.

# %% [markdown] tags=["expert"]
# An activity needs three things: a name in the decorator, one input that is plain JSON, and a key that stays the same when the call is repeated. `deliver_once` already writes the ledger and skips a call that it knows. Neither the orchestrator nor Dapr had to be informed of the new activity: the name was enough.
