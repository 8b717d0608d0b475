# %% [markdown] tags=["story"]
# `/health` of the notification service says healthy, and its sidecar says so too. No mail leaves. Probes ask for `/health`, so it has to go on answering.

# %% tags=["scenario"]
def scenario(lab):
    try:
        lab.up(within=8, announce=False)
    except LabError:
        print("lab.up: not ready after 8 s")
    client = lab.client("task-orchestrator-service")
    client.schedule_new_workflow("task_processing_multi_app", input=order, instance_id="order")
    print("status:", lab.run("order").settle())


# %% tags=["look"]
healthy = {a.app_id: a.is_healthy() for a in lab.started_apps()}
print(healthy)

# %% tags=["look"]
parts = [set(a.metadata()) for a in lab.started_apps()]
print("only in the metadata of the orchestrator:", sorted(parts[0] - parts[1]))

# %% tags=["look"]
for app in lab.started_apps():
    print(app.app_id, "logs worker_connected:", "worker_connected" in app.logs())

# %% [markdown] tags=["plan"]
# No worker is connected to the healthy sidecar, because main.py never calls wfr.start().

# %% [markdown] tags=["expert"]
# Symptom: the order stays RUNNING, although the sidecar and the service both report that they are healthy. The metadata of the sidecar does not mention workflows: no worker is connected. So the sidecar offers nothing to placement, and for everyone else the app is absent. The log lacks the line `worker_connected`, which other services have. Cause: nobody calls `wfr.start()`. An HTTP health check says nothing about the worker.
