# %% [markdown] tags=["story"]
# A component was reviewed, and one line was changed. Now no order can be started.

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
component = lab.app("task-orchestrator-service").metadata()["components"][0]
print(component["name"], component["type"])

# %% tags=["look"]
for app in lab.started_apps():
    log = app.logs("sidecar")
    print(app.app_id, "names its actor state store in the log:", "as actor state store" in log)

# %% [markdown] tags=["plan"]
# The component statestore has actorStateStore false, so no workflow can be kept.

# %% [markdown] tags=["expert"]
# Symptom: the client gets an error at once; it names `actorStateStore`. The metadata shows the component, and cannot show this property. The log can: a sidecar that has an actor state store names it when it starts. Repair: `value: "true"`.
