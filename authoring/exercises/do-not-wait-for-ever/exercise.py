# %% [markdown] tags=["story"]
# The provider takes eight seconds for a mail. The order should not take so long: after `PATIENCE` (3 s) the workflow ends and says that the mail is not yet sent. The mail itself may arrive later.

# %% [markdown] tags=["wanted"]
# - the workflow completes in less than 6 seconds
# - its output says `sent: False` for the mail
# - the mail arrives later, once

# %% tags=["scenario"]
def scenario(lab):
    lab.up(announce=False)
    client = lab.client("task-orchestrator-service")
    client.schedule_new_workflow("task_processing_multi_app", input=order, instance_id="order")
    print("status:", lab.run("order").settle(12))

# %% tags=["look"]
lab.run("order").show()

# %% [markdown] tags=["plan"]
# The call races with a timer; the history will end after three seconds and the inbox fill later.

# %% [markdown] tags=["expert"]
# Dapr has no timeout for a call, so you race it with a timer. The loser is not undone: the activity goes on and the mail arrives. So the output must not claim more than it knows. This works because the app is there, only slow. For an app that is absent, the call has to stand in a child workflow, as `task_with_fallback` does.
