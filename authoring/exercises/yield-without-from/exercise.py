# %% [markdown] tags=["opening"]
# # Break lab 07.2: find out why the helper ends the workflow
#
# Diagnose a workflow that fails in its own code. 10 minutes.
#
# A helper was taken out of a workflow to make it shorter. Since then the workflow fails before its first notification.
#
# Out of scope: async code

# %% tags=["setup"]
from labkit import Lab, broken, check, diagnose, hint, reset

run_file = broken("yield-without-from")

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


def scenario():
    lab = Lab(run_file)
    lab.up(announce=False)
    client = lab.client("task-orchestrator-service")
    client.schedule_new_workflow("task_with_fallback", input=order, instance_id="order")
    print("status:", lab.run("order").settle(12))
    return lab


lab = scenario()

# %% [markdown] tags=["text"]
# ## The symptom, and who knows more
#
# Write down what you see. Then ask: who knows about it? The history, the metadata, the placement table, a log?

# %% tags=["look"]
print(lab.run("order").failure.error_type)
print(lab.run("order").failure.message)

# %% [markdown] tags=["text"]
# ## Your diagnosis
#
# One sentence: which part does what wrong, and how do you know?

# %% tags=["solution"]
# <solution goal="your sentence between the quotes" stub='cause = ""'>
cause = "The workflow yields a generator instead of a task; the helper needs yield from."
# </solution>
diagnose("yield-without-from", cause)

# %% [markdown] tags=["text"]
# ## The repair
#
# Edit the files below `.lab/work/yield-without-from/`: the smallest change that mends the cause. Then run the scenario again. A hint comes in three levels: `hint("yield-without-from")`.
#
# Open: [dapr.yaml](../.lab/work/yield-without-from/dapr.yaml), [components/statestore.yaml](../.lab/work/yield-without-from/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/yield-without-from/task-orchestrator-service/main.py), [notification-service/main.py](../.lab/work/yield-without-from/notification-service/main.py).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("yield-without-from")
# </solution>
lab = scenario()

# %% tags=["check"]
check("yield-without-from")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# Symptom: FAILED, and the message speaks of a generator or a non-task. The SDK expects a task behind `yield`. `attempt_notification` is a generator: calling it runs nothing. `yield from` runs its steps as if they stood here. `yield` alone hands the generator to the SDK, which cannot use it.
#
# </details>
#
# Compare it with your sentence. The next break lab is in `exercises/`.

# %% tags=["close"]
lab.down()
