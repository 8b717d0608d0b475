# %% [markdown] tags=["opening"]
# # Exercise 06.1: give the audit service a store of its own
#
# Configure an actor state store for one app only. 18 minutes.
#
# Audits must not lie in the same database as everything else. The compliance team wants its own store, called `auditstore`; the workflow over three apps must go on as before.
#
# Out of scope: Redis, Postgres

# %% tags=["setup"]
from labkit import Lab, begin, check, diagnose, hint, reset

run_file = begin("own-store-for-audit")

# %% [markdown] tags=["text"]
# ## What is wanted
#
# - `audit-service` has one component, `auditstore`, and it keeps workflows
# - the two other apps do not have it
# - the order is audited as before
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
    client.schedule_new_workflow("task_with_audit", input=order, instance_id="order")
    print("status:", lab.run("order").settle())


lab = Lab(run_file)
scenario(lab)

# %% tags=["look"]
for app in lab.started_apps():
    print(app.app_id, [c["name"] for c in app.metadata()["components"]])

# %% [markdown] tags=["text"]
# ## Your plan
#
# One sentence: what do you change, and where will you see that it works?

# %% tags=["solution"]
# <solution goal="your sentence between the quotes" stub='plan = ""'>
plan = "audit-service gets its own resources folder with auditstore; its metadata will list only that."
# </solution>
diagnose("own-store-for-audit", plan)

# %% [markdown] tags=["text"]
# ## Your change
#
# The files are below `.lab/work/own-store-for-audit/`; you need `dapr.yaml` and `components/`. In the run file `resourcesPath` of an app starts at the app's own folder. A hint comes in three levels: `hint("own-store-for-audit")`.
#
# Open: [dapr.yaml](../.lab/work/own-store-for-audit/dapr.yaml), [components/statestore.yaml](../.lab/work/own-store-for-audit/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/own-store-for-audit/task-orchestrator-service/main.py), [notification-service/main.py](../.lab/work/own-store-for-audit/notification-service/main.py), [audit-service/main.py](../.lab/work/own-store-for-audit/audit-service/main.py).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("own-store-for-audit")
# </solution>
lab = Lab(run_file)
scenario(lab)

# %% tags=["check"]
check("own-store-for-audit")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# What must be shared is the namespace and the placement, not the store. Each app that hosts workflows needs one actor state store, and its own will do: the parent's history is in one database, the child's in the other. A folder per app is plain to see; scopes do the same in one folder, and must then stand in both components.
#
# </details>
#
# Compare it with your sentence. To start over: `reset("own-store-for-audit")`; your files are kept.

# %% tags=["close"]
lab.down()
