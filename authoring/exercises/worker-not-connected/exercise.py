# %% [markdown] tags=["opening"]
# # Break lab 02.1: find out why a healthy service does no work
#
# Diagnose a service that is healthy and does no work. 10 minutes.
#
# `/health` of the notification service says healthy, and its sidecar says so too. No mail leaves.
#
# Out of scope: restarts, several replicas

# %% tags=["setup"]
from labkit import Lab, LabError, broken, check, diagnose, hint, reset

run_file = broken("worker-not-connected")

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
    try:
        lab.up(within=8, announce=False)
    except LabError as problem:
        print(problem.title)
    client = lab.client("task-orchestrator-service")
    client.schedule_new_workflow("task_processing_multi_app", input=order, instance_id="order")
    print("status:", lab.run("order").settle())
    return lab


lab = scenario()

# %% [markdown] tags=["text"]
# ## The symptom, and who knows more
#
# Write down what you see. Then ask: who knows about it? The history, the metadata, the placement table, a log?

# %% tags=["look"]
"workflows" in lab.app("notification-service").metadata()

# %% tags=["look"]
lab.app("notification-service").is_healthy()

# %% tags=["look"]
"worker_connected" in lab.app("notification-service").logs()

# %% [markdown] tags=["text"]
# ## Your diagnosis
#
# One sentence: which part does what wrong, and how do you know?

# %% tags=["solution"]
# <solution goal="your sentence between the quotes" stub='cause = ""'>
cause = "No worker is connected to the healthy sidecar, because main.py never calls wfr.start()."
# </solution>
diagnose("worker-not-connected", cause)

# %% [markdown] tags=["text"]
# ## The repair
#
# Edit the files below `.lab/work/worker-not-connected/`: the smallest change that mends the cause. Then run the scenario again. A hint comes in three levels: `hint("worker-not-connected")`.
#
# Open: [dapr.yaml](../.lab/work/worker-not-connected/dapr.yaml), [components/statestore.yaml](../.lab/work/worker-not-connected/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/worker-not-connected/task-orchestrator-service/main.py), [notification-service/main.py](../.lab/work/worker-not-connected/notification-service/main.py).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("worker-not-connected")
# </solution>
lab = scenario()

# %% tags=["check"]
check("worker-not-connected")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# Symptom: RUNNING; the sidecar healthy, the service healthy. The metadata says no word of workflows: no worker is connected. So the sidecar offers nothing to placement, and for everyone else the app is absent. The log misses the line `worker_connected`. Cause: nobody calls `wfr.start()`. A health check of HTTP says nothing about the worker.
#
# </details>
#
# Compare it with your sentence. The next break lab is in `exercises/`.

# %% tags=["close"]
lab.down()
