# %% [markdown] tags=["opening"]
# # Break lab 06.8: find out why the orchestrator has no store
#
# Diagnose an error of the client from components, metadata and logs. 12 minutes.
#
# The state store is in the folder, its property is right. The notification service is fine. And yet the orchestrator has no store.
#
# Out of scope: scopes of topics

# %% tags=["setup"]
from grpc import RpcError

from labkit import Lab, LabError, broken, check, diagnose, hint, reset

run_file = broken("no-store-in-sight")

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
    try:
        lab.up(within=8, announce=False)
    except LabError as problem:
        print("lab.up:", problem.code)
    try:
        client = lab.client("task-orchestrator-service")
        client.schedule_new_workflow("task_processing_multi_app", input=order, instance_id="order")
        print("status:", lab.run("order").settle())
    except RpcError as problem:
        print(problem.code().name)


lab = Lab(run_file)
scenario(lab)

# %% [markdown] tags=["text"]
# ## The symptom, and who knows more
#
# Write down what you see. Then ask: who knows about it? The history, the metadata, the placement table, a log?

# %% tags=["look"]
{a.app_id: [c["name"] for c in a.metadata().get("components", [])] for a in lab.started_apps()}

# %% tags=["look"]
for app in lab.started_apps():
    log = app.logs("sidecar")
    print(app.app_id, "names its actor state store in the log:", "as actor state store" in log)

# %% [markdown] tags=["text"]
# ## Your diagnosis
#
# One sentence: which part does what wrong, and how do you know?

# %% tags=["solution"]
# <solution goal="your sentence between the quotes" stub='cause = ""'>
cause = "scopes lets only notification-service see the state store, so the orchestrator has none."
# </solution>
diagnose("no-store-in-sight", cause)

# %% [markdown] tags=["text"]
# ## The repair
#
# Edit the files below `.lab/work/no-store-in-sight/`: the smallest change that fixes the cause. Then run the scenario again. A hint comes in three levels: `hint("no-store-in-sight")`.
#
# Open: [dapr.yaml](../.lab/work/no-store-in-sight/dapr.yaml), [components/statestore.yaml](../.lab/work/no-store-in-sight/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/no-store-in-sight/task-orchestrator-service/main.py), [notification-service/main.py](../.lab/work/no-store-in-sight/notification-service/main.py).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("no-store-in-sight")
# </solution>
lab = Lab(run_file)
scenario(lab)

# %% tags=["check"]
check("no-store-in-sight")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# Symptom: the same error as with a missing actor state store. The metadata of the two apps differ: one lists the component, the other does not. So it is hidden from one of them: `scopes` names the apps that may see it. Repair: name both, or none.
#
# </details>
#
# Compare it with your sentence. All exercises, lesson by lesson: [exercises/README.md](../exercises/README.md).

# %% tags=["close"]
lab.down()
