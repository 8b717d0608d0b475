# %% [markdown] tags=["story"]
# The mail provider refuses the first three tries and then works again. Today every order fails.

# %% [markdown] tags=["wanted"]
# - the order is completed
# - the assignee gets one mail
# - the mail is tried again by the workflow, not more than six times

# %% tags=["scenario"]
def scenario(lab):
    lab.up(announce=False)
    client = lab.client("task-orchestrator-service")
    client.schedule_new_workflow("task_processing_multi_app", input=order, instance_id="order")
    print("status:", lab.run("order").settle(12))

# %% tags=["look"]
print(lab.run("order").failure.message)

# %% tags=["look"]
len(lab.ledger("notification-service", "tries"))

# %% [markdown] tags=["plan"]
# A retry policy with five attempts at the mail call; the ledger will count four tries and the inbox one mail.

# %% [markdown] tags=["expert"]
# The failure was raised in the activity, so it reached the caller: that is what a retry policy can see. The first try counts, so three failures need at least four attempts. The pauses belong to the policy too, and with a coefficient they grow, which an overloaded provider thanks you for. The idempotency key stays the same over all tries.
