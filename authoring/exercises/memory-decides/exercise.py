# %% [markdown] tags=["opening"]
# # Break lab 04.3: find out why a restart changed the plan
#
# Diagnose a workflow that a restart has changed. 15 minutes.
#
# Orders that arrive while the service is running are express: they get a mail. Once the service was restarted in the middle of an order.
#
# Out of scope: versioning of workflows

# %% tags=["setup"]
from labkit import Lab, broken, check, diagnose, hint, reset, wait_until

run_file = broken("memory-decides")

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
    client.schedule_new_workflow("task_processing_multi_app", input=order, instance_id="order")
    wait_until(lambda: len(lab.inbox) == 1)
    lab.kill("task-orchestrator-service", "worker")
    lab.up(announce=False)
    print("status:", lab.run("order").settle(15))
    return lab


lab = scenario()

# %% [markdown] tags=["text"]
# ## The symptom, and who knows more
#
# Write down what you see. Then ask: who knows about it? The history, the metadata, the placement table, a log?

# %% tags=["look"]
lab.run("order").failure.error_type

# %% tags=["look"]
print(lab.run("order").failure.message.split(".")[0])

# %% tags=["look"]
[step.name for step in lab.run("order").history.own_steps()]

# %% [markdown] tags=["text"]
# ## Your diagnosis
#
# One sentence: which part does what wrong, and how do you know?

# %% tags=["solution"]
# <solution goal="your sentence between the quotes" stub='cause = ""'>
cause = "After the restart the set in memory is empty, so the replayed code asks for other steps than the history holds."
# </solution>
diagnose("memory-decides", cause)

# %% [markdown] tags=["text"]
# ## The repair
#
# Edit the files below `.lab/work/memory-decides/`: the smallest change that mends the cause. Then run the scenario again. A hint comes in three levels: `hint("memory-decides")`.
#
# Open: [dapr.yaml](../.lab/work/memory-decides/dapr.yaml), [components/statestore.yaml](../.lab/work/memory-decides/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/memory-decides/task-orchestrator-service/main.py), [notification-service/main.py](../.lab/work/memory-decides/notification-service/main.py).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("memory-decides")
# </solution>
lab = scenario()

# %% tags=["check"]
check("memory-decides")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# Symptom: FAILED, right after a restart, with a message about determinism. The history says that the mail was asked for. The code, run again from its start, went the other way: the set in memory was empty in the new process. Workflow code is replayed, so it must come to the same steps every time: from its input and from recorded results only.
#
# </details>
#
# Compare it with your sentence. The next break lab is in `exercises/`.

# %% tags=["close"]
lab.down()
