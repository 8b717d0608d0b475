# %% [markdown] tags=["story"]
# The mail provider refuses the first three tries and then works again. Today every order fails.

# %% [markdown] tags=["wanted"]
# - the order is completed, and the assignee gets one mail
# - the *workflow* tries again, so the history records each try; one try follows the other
# - a mail that is always refused is tried at least four and at most six times

# %% tags=["scenario"]
def scenario(lab):
    lab.up(announce=False)
    client = lab.client("task-orchestrator-service")
    client.schedule_new_workflow("task_processing_multi_app", input=order, instance_id="order")
    print("status:", lab.run("order").settle(12))

# %% tags=["look"]
failure = lab.run("order").failure
print(f"{failure.error_type}: {failure.message}" if failure else "no failure")

# %% tags=["look"]
len(lab.ledger("notification-service", "tries"))

# %% [markdown] tags=["plan"]
# The mail call gets a retry policy with five attempts; the history will record four tries, and the inbox will hold one mail.

# %% [markdown] tags=["expert"]
# The failure was raised in the activity, so it reached the caller: that is what a retry policy can see. The first try counts, so three failures need at least four attempts. The pauses belong to the policy, too; with a coefficient they grow, which helps an overloaded provider. The idempotency key stays the same over all tries.
