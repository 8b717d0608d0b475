# %% [markdown] tags=["story"]
# Today the mail provider takes eight seconds to confirm a mail; on most days it takes less than one. An order should not wait so long: after `PATIENCE` (3 s) the workflow ends and says that the mail is not sent yet.

# %% [markdown] tags=["wanted"]
# - the workflow completes in less than 6 seconds, whether the provider has answered or not
# - its output says `sent: False` when there was no answer in time, and holds the answer when there was
# - a mail that the provider refuses does not count as sent; such an order may fail
# - each mail that is not refused reaches the assignee, once

# %% tags=["scenario"]
def scenario(lab):
    lab.up(announce=False)
    client = lab.client("task-orchestrator-service")
    client.schedule_new_workflow("task_processing_multi_app", input=order, instance_id="order")
    print("status:", lab.run("order").settle(12))

# %% tags=["look"]
lab.run("order").show()

# %% [markdown] tags=["plan"]
# The call races with a timer; the history will end after three seconds, and the inbox will hold one mail.

# %% [markdown] tags=["expert"]
# Dapr has no timeout for a call, so you race the call with a timer. The loser is not undone: the activity goes on, and the mail is sent. So the output must not claim more than the workflow knows. This works because the app is running and only slow. For an app that is absent, the call has to be in a child workflow, as in `task_with_fallback`.
