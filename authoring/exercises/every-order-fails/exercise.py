# %% [markdown] tags=["opening"]
# # Break lab 06.4: find out why every order fails
#
# Diagnose a failed workflow from its failure and the code of two services. 10 minutes.
#
# A colleague renamed something. Now every order fails at once.
#
# Out of scope: child workflows

# %% tags=["setup"]
from labkit import Lab, broken, check, diagnose, hint, reset

run_file = broken("every-order-fails")

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
    print("status:", lab.run("order").settle())


lab = Lab(run_file)
scenario(lab)

# %% [markdown] tags=["text"]
# ## The symptom, and who knows more
#
# Write down what you see. Then ask: who knows about it? The history, the metadata, the placement table, a log?

# %% tags=["look"]
print(lab.run("order").failure.error_type)
print(lab.run("order").failure.message)

# %% tags=["look"]
lab.app("notification-service").metadata()["workflows"]["connectedWorkers"]

# %% [markdown] tags=["text"]
# ## Your diagnosis
#
# One sentence: which part does what wrong, and how do you know?

# %% tags=["solution"]
# <solution goal="your sentence between the quotes" stub='cause = ""'>
cause = "The orchestrator calls send_mail, but notification-service registered send_email."
# </solution>
diagnose("every-order-fails", cause)

# %% [markdown] tags=["text"]
# ## The repair
#
# Edit the files below `.lab/work/every-order-fails/`: the smallest change that fixes the cause. Then run the scenario again. A hint comes in three levels: `hint("every-order-fails")`.
#
# Open: [dapr.yaml](../.lab/work/every-order-fails/dapr.yaml), [components/statestore.yaml](../.lab/work/every-order-fails/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/every-order-fails/task-orchestrator-service/main.py), [notification-service/main.py](../.lab/work/every-order-fails/notification-service/main.py).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("every-order-fails")
# </solution>
lab = Lab(run_file)
scenario(lab)

# %% tags=["check"]
check("every-order-fails")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# Symptom: FAILED at once, with a message. So the app was reached: an absent app gives no error at all. The message says which name was asked for. Metadata cannot list names, so compare the two places where the name stands: the call and the decorator. Repair: one of the two.
#
# </details>
#
# Compare it with your sentence. All exercises, lesson by lesson: [exercises/README.md](../exercises/README.md).

# %% tags=["close"]
lab.down()
