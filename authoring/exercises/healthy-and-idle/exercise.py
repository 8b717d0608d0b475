# %% [markdown] tags=["opening"]
# # Break lab 02.3: find out why a healthy service does no work
#
# Diagnose a service that is healthy and does no work. 10 minutes.
#
# `/health` of the notification service says healthy, and its sidecar says so too. No mail leaves.
#
# Out of scope: restarts, several replicas

# %% tags=["setup"]
from labkit import Lab, LabError, broken, check, diagnose, hint, reset

run_file = broken("healthy-and-idle")

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
    except LabError:
        print("lab.up: not ready after 8 s")
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
healthy = {a.app_id: a.is_healthy() for a in lab.started_apps()}
print(healthy)

# %% tags=["look"]
told = [set(a.metadata()) for a in lab.started_apps()]
print("only in the metadata of the orchestrator:", sorted(told[0] - told[1]))

# %% tags=["look"]
for app in lab.started_apps():
    print(app.app_id, "logs worker_connected:", "worker_connected" in app.logs())

# %% [markdown] tags=["text"]
# ## Your diagnosis
#
# One sentence: which part does what wrong, and how do you know?

# %% tags=["solution"]
# <solution goal="your sentence between the quotes" stub='cause = ""'>
cause = "No worker is connected to the healthy sidecar, because main.py never calls wfr.start()."
# </solution>
diagnose("healthy-and-idle", cause)

# %% [markdown] tags=["text"]
# ## The repair
#
# Edit the files below `.lab/work/healthy-and-idle/`: the smallest change that fixes the cause. Then run the scenario again. A hint comes in three levels: `hint("healthy-and-idle")`.
#
# Open: [dapr.yaml](../.lab/work/healthy-and-idle/dapr.yaml), [components/statestore.yaml](../.lab/work/healthy-and-idle/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/healthy-and-idle/task-orchestrator-service/main.py), [notification-service/main.py](../.lab/work/healthy-and-idle/notification-service/main.py).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("healthy-and-idle")
# </solution>
lab = Lab(run_file)
scenario(lab)

# %% tags=["check"]
check("healthy-and-idle")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# Symptom: RUNNING; the sidecar healthy, the service healthy. The metadata does not mention workflows: no worker is connected. So the sidecar offers nothing to placement, and for everyone else the app is absent. The log lacks the line `worker_connected`, which other services have. Cause: nobody calls `wfr.start()`. A health check of HTTP says nothing about the worker.
#
# </details>
#
# Compare it with your sentence. All exercises, lesson by lesson: [exercises/README.md](../exercises/README.md).

# %% tags=["close"]
lab.down()
