# %% [markdown] tags=["story"]
# Notifications are best effort. They may be late or refused, and no order should fail for that, or wait for them longer than `PATIENCE` (2 s) each; its output says which were sent in time. The code has a `try` and an `except` for that. But when the notification service is down, orders hang.

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
# Symptom: RUNNING, and no failure in the history. So nothing was raised, and `except` had nothing to catch. An absent app is no error: the runtime waits for it, and a retry policy is consulted only after a failure. To race the call with a timer does not help either: the undelivered call holds up the saving of the whole turn. The repair: put the call into a local child workflow and race the child with a timer. The child waits alone, and delivers when the app is back.
