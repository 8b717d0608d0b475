# %% [markdown] tags=["story"]
# Part of a workflow was moved into a helper, to make the workflow shorter. Since then it fails before its first notification. It should notify by mail and push, give up on what takes too long, and say in its output what was sent. A mail that fails counts as not sent, and the order goes on.

# %% tags=["scenario"]
def scenario(lab):
    lab.up(announce=False)
    client = lab.client("task-orchestrator-service")
    client.schedule_new_workflow("task_with_fallback", input=order, instance_id="order")
    print("status:", lab.run("order").settle(12))

# %% tags=["look"]
failure = lab.run("order").failure
print(f"{failure.error_type}: {failure.message}" if failure else "no failure")

# %% [markdown] tags=["plan"]
# The workflow yields a generator instead of a task; the helper needs yield from.

# %% [markdown] tags=["expert"]
# Symptom: FAILED, with a message about a non-task object. The SDK expects a task after `yield`. `attempt_notification` is a generator: calling it runs none of its code. `yield from` runs its steps as if they were written here. `yield` alone gives the generator itself to the SDK. Without any `yield` the generator object becomes part of the result, which cannot be stored: the workflow stays RUNNING. To call the activity here, without the helper, loses the fallback.
