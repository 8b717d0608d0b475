# %% [markdown] tags=["opening"]
# # Break lab 06.5: find out why a healthy app is not there
#
# Locate the reason why a healthy app cannot be called. 12 minutes.
#
# The notification team moved its app for a test. It is up and healthy, and yet orders hang.
#
# Out of scope: namespaces of Kubernetes objects

# %% tags=["setup"]
from labkit import Lab, broken, check, diagnose, hint, reset

run_file = broken("healthy-and-not-there")

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
def types(app_id):
    return sorted(a["type"] for a in lab.app(app_id).metadata()["actorRuntime"]["activeActors"])


types("task-orchestrator-service") + types("notification-service")

# %% tags=["look"]
[step.name for step in lab.run("order").history.steps()]

# %% [markdown] tags=["text"]
# ## Your diagnosis
#
# One sentence: which part does what wrong, and how do you know?

# %% tags=["solution"]
# <solution goal="your sentence between the quotes" stub='cause = ""'>
cause = "notification-service runs in the namespace payments, the orchestrator in default."
# </solution>
diagnose("healthy-and-not-there", cause)

# %% [markdown] tags=["text"]
# ## The repair
#
# Edit the files below `.lab/work/healthy-and-not-there/`: the smallest change that fixes the cause. Then run the scenario again. A hint comes in three levels: `hint("healthy-and-not-there")`.
#
# Open: [dapr.yaml](../.lab/work/healthy-and-not-there/dapr.yaml), [components/statestore.yaml](../.lab/work/healthy-and-not-there/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/healthy-and-not-there/task-orchestrator-service/main.py), [notification-service/main.py](../.lab/work/healthy-and-not-there/notification-service/main.py).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("healthy-and-not-there")
# </solution>
lab = Lab(run_file)
scenario(lab)

# %% tags=["check"]
check("healthy-and-not-there")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# Symptom: RUNNING, both apps healthy. It looks like an absent app. The metadata shows the difference: `dapr.internal.payments.…` beside `dapr.internal.default.…`. A workflow never leaves its namespace. Repair: one namespace for all of them. The waiting order then completes without anybody touching it.
#
# </details>
#
# Compare it with your sentence. All exercises, lesson by lesson: [exercises/README.md](../exercises/README.md).

# %% tags=["close"]
lab.down()
