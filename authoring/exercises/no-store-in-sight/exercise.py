# %% [markdown] tags=["story"]
# The state store is in the folder, its property is right. The notification service is fine. And yet the orchestrator has no store.

# %% tags=["scenario"]
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
        print(problem.code().name, problem.details())

# %% tags=["look"]
{a.app_id: [c["name"] for c in a.metadata().get("components", [])] for a in lab.started_apps()}

# %% tags=["look"]
for app in lab.started_apps():
    log = app.logs("sidecar")
    print(app.app_id, "names its actor state store in the log:", "as actor state store" in log)

# %% [markdown] tags=["plan"]
# scopes lets only notification-service see the state store, so the orchestrator has none.

# %% [markdown] tags=["expert"]
# Symptom: the same error as with a missing actor state store. The metadata of the two apps differ: one lists the component, the other does not. So it is hidden from one of them: `scopes` names the apps that may see it. Repair: name both, or none.
