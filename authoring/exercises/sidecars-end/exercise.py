# %% [markdown] tags=["story"]
# The orders team added a store of its own, `orders`, for the data of its new app `order-desk`. Since then nothing starts. Both are needed: workflows kept where they were before, and the orders team's data on disk in `orders`.

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
        print(problem.code().name)

# %% tags=["look"]
ended = [p.name for p in lab.processes() if not p.is_alive]
print("a sidecar has ended:", any("sidecar" in name for name in ended))

# %% tags=["look"]
log = lab.app("task-orchestrator-service").logs("sidecar")
failed = re.findall('msg="Failed to init component (.*?)"', log)
print(failed[0].split(": ")[1])

# %% [markdown] tags=["plan"]
# Two components have actorStateStore true, so every sidecar ends with a fatal error.

# %% [markdown] tags=["expert"]
# Symptom: sidecars end while they start. The last line of the log names both stores. A sidecar accepts exactly one actor state store. Repair: set the property to `"false"` in the new store, which stays a store for the data of `order-desk`. Or give each store `scopes`, so that no sidecar gets both.
