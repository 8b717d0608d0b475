# %% [markdown] tags=["opening"]
# # Break lab 07.4: find out why the helper ends the workflow
#
# Diagnose a workflow that fails in its own code. 10 minutes.
#
# A helper was taken out of a workflow to make it shorter. Since then the workflow fails before its first notification.
#
# Out of scope: async code

# %% tags=["setup"]
from labkit import Lab, broken, check, diagnose, hint, reset

run_file = broken("helper-ends-the-workflow")

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
    lab.up(announce=False)
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
failure = lab.run("order").failure
print(f"{failure.error_type}: {failure.message}" if failure else "no failure")

# %% [markdown] tags=["text"]
# ## Your diagnosis
#
# One sentence: which part does what wrong, and how do you know?

# %% tags=["solution"]
# <solution goal="your sentence between the quotes" stub='cause = ""'>
cause = "The workflow yields a generator instead of a task; the helper needs yield from."
# </solution>
diagnose("helper-ends-the-workflow", cause)

# %% [markdown] tags=["text"]
# ## The repair
#
# Edit the files below `.lab/work/helper-ends-the-workflow/`: the smallest change that fixes the cause. Then run the scenario again. A hint comes in three levels: `hint("helper-ends-the-workflow")`.
#
# Open: [dapr.yaml](../.lab/work/helper-ends-the-workflow/dapr.yaml), [components/statestore.yaml](../.lab/work/helper-ends-the-workflow/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/helper-ends-the-workflow/task-orchestrator-service/main.py), [notification-service/main.py](../.lab/work/helper-ends-the-workflow/notification-service/main.py).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("helper-ends-the-workflow")
# </solution>
lab = Lab(run_file)
scenario(lab)

# %% tags=["check"]
check("helper-ends-the-workflow")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# Symptom: FAILED, and the message speaks of a generator or a non-task. The SDK expects a task behind `yield`. `attempt_notification` is a generator: calling it runs nothing. `yield from` runs its steps as if they stood here. `yield` alone hands the generator to the SDK, which cannot use it. Without any `yield` the generator object lands in the result, which cannot be stored: the workflow stays RUNNING. To call the activity here, without the helper, loses the fallback.
#
# </details>
#
# Compare it with your sentence. All exercises, lesson by lesson: [exercises/README.md](../exercises/README.md).

# %% tags=["close"]
lab.down()
