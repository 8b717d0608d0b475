# %% [markdown] tags=["story"]
# It is night, and you are on call. Orders with an audit have not come to an end since this evening's deployment; all other orders have. Nobody says what was deployed. Ask whom you like, in any order: who can know?

# %% tags=["scenario"]
def scenario(lab):
    try:
        lab.up(within=8, announce=False)
    except LabError:
        print("lab.up: not everything is ready")
    client = lab.client("task-orchestrator-service")
    client.schedule_new_workflow("task_with_audit", input=order, instance_id="order")
    print("status:", lab.run("order").settle())


# %% tags=["look"]
# Your questions: lab.status(), lab.run("order").history, lab.app(app_id).logs(), .metadata(),
# .is_healthy(), curl(lab.app(app_id), "/v1.0/metadata"), lab.ledger(app_id, table) and the files.
# <solution goal="the evidence that you choose; add cells as you need them">
for app in lab.started_apps():
    said = "No Dapr sidecar" in app.logs()
    print(app.app_id, "- sidecar healthy:", app.is_healthy(), "- misses its sidecar:", said)
looked = [line for line in lab.app("audit-service").logs().splitlines() if "no_sidecar" in line]
print("looked for it so many seconds:", looked[-1].partition('"seconds": ')[2].rstrip("}"))
# </solution>

# %% [markdown] tags=["plan"]
# audit-service ends because dapr.yaml lets it look for its sidecar for 0 seconds, so no worker is ever connected.

# %% [markdown] tags=["expert"]
# Symptom: RUNNING, and only where audit-service takes part. The history ends before the child. Who can know? `lab.status()` says that the worker has ended by itself, and its last words blame the sidecar: "No Dapr sidecar". Hypothesis: the sidecar is missing. Evidence that would be different: its health. It is healthy, so the hypothesis is wrong, and the message names what the service saw, not the cause. The line before says how long it has looked: 0 seconds. `SIDECAR_SECONDS` is read from the environment, and `dapr.yaml` sets it.
#
# Smallest fix: take the setting out, or give it a value at which a sidecar can be ready. Prove again: a worker is connected after each start, and an audited order is completed.
