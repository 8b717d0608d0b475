# %% [markdown] tags=["opening"]
# # Break lab 04.5: find out why a restart changed the plan
#
# Diagnose a workflow that a restart has changed. 15 minutes.
#
# Express orders get a mail. An order that begins while the service is running is express, so this one is. Then the service was restarted in the middle of it.
#
# Out of scope: versioning of workflows

# %% tags=["setup"]
from labkit import Lab, broken, check, diagnose, hint, reset, wait_until

run_file = broken("restart-changes-the-plan")

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
    client.schedule_new_workflow("task_processing_multi_app", input=order, instance_id="order")
    wait_until(lambda: len(lab.inbox) == 1)
    lab.kill("task-orchestrator-service", "worker")
    lab.up(announce=False)
    print("status:", lab.run("order").settle(15))


lab = Lab(run_file)
scenario(lab)

# %% [markdown] tags=["text"]
# ## The symptom, and who knows more
#
# Write down what you see. Then ask: who knows about it? The history, the metadata, the placement table, a log?

# %% tags=["look"]
print(lab.run("order").failure.error_type)

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
diagnose("restart-changes-the-plan", cause)

# %% [markdown] tags=["text"]
# ## The repair
#
# Edit the files below `.lab/work/restart-changes-the-plan/`: the smallest change that fixes the cause. Then run the scenario again. A hint comes in three levels: `hint("restart-changes-the-plan")`.
#
# Open: [dapr.yaml](../.lab/work/restart-changes-the-plan/dapr.yaml), [components/statestore.yaml](../.lab/work/restart-changes-the-plan/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/restart-changes-the-plan/task-orchestrator-service/main.py), [notification-service/main.py](../.lab/work/restart-changes-the-plan/notification-service/main.py).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("restart-changes-the-plan")
# </solution>
lab = Lab(run_file)
scenario(lab)

# %% tags=["check"]
check("restart-changes-the-plan")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# Symptom: FAILED, right after a restart, with a message about determinism. The history says that the mail was asked for. The code, run again from its start, went the other way: the set in memory was empty in the new process. Workflow code is replayed, so it must come to the same steps every time: from its input and from recorded results only.
#
# </details>
#
# Compare it with your sentence. All exercises, lesson by lesson: [exercises/README.md](../exercises/README.md).

# %% tags=["close"]
lab.down()
