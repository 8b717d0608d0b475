# %% [markdown] tags=["opening"]
# # Break lab 07.3: find out why the fallback never runs
#
# Repair a workflow that hangs although it has a fallback. 20 minutes.
#
# Notifications are best effort, says the code: there is a try and an except. But when the notification service is away, orders hang.
#
# Out of scope: non-retryable errors

# %% tags=["setup"]
from labkit import Lab, broken, check, diagnose, hint, reset

run_file = broken("fallback-never-runs")

# %% [markdown] tags=["text"]
# ## The scenario
#
# Run it now. Run it again after each repair.

# %% tags=["scenario"]
order = {
    "task_id": "task-123",
    "title": "Review PR",
    "assignee_email": "alice@example.com",
    "assignee_user_id": "user-alice",
}


def scenario(lab):
    lab.up("task-orchestrator-service", announce=False)
    client = lab.client("task-orchestrator-service")
    client.schedule_new_workflow("task_with_fallback", input=order, instance_id="order")
    print("status:", lab.run("order").settle(12))


lab = Lab(run_file)
scenario(lab)

# %% [markdown] tags=["text"]
# ## The symptom, and who knows more
#
# Write down what you see. Then ask: who knows about it? The history, the metadata, the placement table, a log?

# %% tags=["look"]
[step.name for step in lab.run("order").history.steps()]

# %% tags=["look"]
print("a failure in the history:", "Failed" in " ".join(lab.run("order").history.kinds))

# %% [markdown] tags=["text"]
# ## Your diagnosis
#
# One sentence: which part does what wrong, and how do you know?

# %% tags=["solution"]
# <solution goal="your sentence between the quotes" stub='cause = ""'>
cause = "A call to an absent app raises nothing, so except never runs and the workflow waits for ever."
# </solution>
diagnose("fallback-never-runs", cause)

# %% [markdown] tags=["text"]
# ## The repair
#
# Edit the files below `.lab/work/fallback-never-runs/`: the smallest change that fixes the cause. Then run the scenario again. A hint comes in three levels: `hint("fallback-never-runs")`.
#
# Open: [dapr.yaml](../.lab/work/fallback-never-runs/dapr.yaml), [components/statestore.yaml](../.lab/work/fallback-never-runs/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/fallback-never-runs/task-orchestrator-service/main.py), [notification-service/main.py](../.lab/work/fallback-never-runs/notification-service/main.py).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("fallback-never-runs")
# </solution>
lab = Lab(run_file)
scenario(lab)

# %% tags=["check"]
check("fallback-never-runs")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# Symptom: RUNNING, no failure in the history. So nothing was raised, and `except` had nothing to catch. An absent app is no error: the runtime waits for it. A retry policy is asked only after a failure. Racing the call with a timer does not help either: the undelivered call holds up the saving of the whole turn. What works: put the call into a local child workflow and race that with a timer. The child waits alone, and delivers when the app is back.
#
# </details>
#
# Compare it with your sentence. All exercises, lesson by lesson: [exercises/README.md](../exercises/README.md).

# %% tags=["close"]
lab.down()
