# %% [markdown] tags=["opening"]
# # Exercise 06.2: move two apps into another namespace
#
# Move all apps of a workflow together. 10 minutes.
#
# The two apps move into the namespace `payments`. A sidecar outside Kubernetes takes its namespace from the environment variable `NAMESPACE`; a run file gives variables with `env`.
#
# Out of scope: Kubernetes, access policies

# %% tags=["setup"]
from labkit import Lab, begin, check, diagnose, hint, reset

run_file = begin("move-to-payments")

# %% [markdown] tags=["text"]
# ## What is wanted
#
# - both apps are in the namespace `payments`
# - the order is completed as before
#
# Run the scenario now, to see where you stand. Run it again after each change.

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

# %% tags=["look"]
for app in lab.started_apps():
    types = [a["type"] for a in app.metadata()["actorRuntime"]["activeActors"]]
    print(min(types))

# %% [markdown] tags=["text"]
# ## Your plan
#
# One sentence: what do you change, and where will you see that it works?

# %% tags=["solution"]
# <solution goal="your sentence between the quotes" stub='plan = ""'>
plan = "NAMESPACE under common moves both sidecars; the actor types will say payments."
# </solution>
diagnose("move-to-payments", plan)

# %% [markdown] tags=["text"]
# ## Your change
#
# The files are below `.lab/work/move-to-payments/`; you need `dapr.yaml`. A hint comes in three levels: `hint("move-to-payments")`.
#
# Open: [dapr.yaml](../.lab/work/move-to-payments/dapr.yaml), [components/statestore.yaml](../.lab/work/move-to-payments/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/move-to-payments/task-orchestrator-service/main.py), [notification-service/main.py](../.lab/work/move-to-payments/notification-service/main.py).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("move-to-payments")
# </solution>
lab = Lab(run_file)
scenario(lab)

# %% tags=["check"]
check("move-to-payments")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# A call looks for its target in the caller's namespace only. Moved one by one, the apps lose each other in between, and running workflows wait. So they move together: one line under `common`. The actor types prove it, since the namespace is their third word.
#
# </details>
#
# Compare it with your sentence. To start over: `reset("move-to-payments")`; your files are kept.

# %% tags=["close"]
lab.down()
