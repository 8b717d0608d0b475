# %% [markdown] tags=["story"]
# Notifications are best effort, says the code: there is a try and an except. But when the notification service is away, orders hang.

# %% tags=["scenario"]
def scenario(lab):
    lab.up("task-orchestrator-service", announce=False)
    client = lab.client("task-orchestrator-service")
    client.schedule_new_workflow("task_with_fallback", input=order, instance_id="order")
    print("status:", lab.run("order").settle(12))

# %% tags=["look"]
[step.name for step in lab.run("order").history.steps()]

# %% tags=["look"]
print("a failure in the history:", "Failed" in " ".join(lab.run("order").history.kinds))

# %% [markdown] tags=["plan"]
# A call to an absent app raises nothing, so except never runs and the workflow waits for ever.

# %% [markdown] tags=["expert"]
# Symptom: RUNNING, no failure in the history. So nothing was raised, and `except` had nothing to catch. An absent app is no error: the runtime waits for it. A retry policy is asked only after a failure. Racing the call with a timer does not help either: the undelivered call holds up the saving of the whole turn. What works: put the call into a local child workflow and race that with a timer. The child waits alone, and delivers when the app is back.
