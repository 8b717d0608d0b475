# %% [markdown] tags=["story"]
# `/health` of the notification service says healthy, and its sidecar says so too. But no mail is sent. The team's monitoring asks for `/health`, so `/health` has to keep answering.

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
# Who knows more? Choose: lab.run("order").history or .show(); lab.status();
# and of lab.app(app_id): is_healthy(), metadata(), logs() or logs("sidecar").
# <solution goal="the evidence that you choose; add cells as you need them">
print({app.app_id: app.is_healthy() for app in lab.started_apps()})
for app in lab.started_apps():
    workers = app.metadata().get("workflows", {}).get("connectedWorkers", 0)
    print(app.app_id, "workers:", workers, "- logs worker_connected:", "worker_connected" in app.logs())
# </solution>

# %% [markdown] tags=["plan"]
# No worker is connected to the healthy sidecar, because main.py never calls wfr.start().

# %% [markdown] tags=["expert"]
# Symptom: the order stays RUNNING, although the sidecar and the service both report that they are healthy. The metadata of the sidecar does not mention workflows: no worker is connected. So the sidecar offers nothing to placement, and for everyone else the app is absent. The log lacks the line `worker_connected`, which other services have. Cause: nobody calls `wfr.start()`. An HTTP health check says nothing about the worker.
