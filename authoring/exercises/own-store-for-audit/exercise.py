# %% [markdown] tags=["story"]
# Audits must not be kept in the same database as everything else. The compliance team wants its own store, called `auditstore`; the workflow over three apps must go on as before.

# %% [markdown] tags=["wanted"]
# - `audit-service` has one component, `auditstore`, and it keeps workflows
# - the two other apps do not have it
# - the order is audited as before, and all stores are on disk

# %% tags=["look"]
for app in lab.started_apps():
    print(app.app_id, [c["name"] for c in app.metadata().get("components", [])])

# %% [markdown] tags=["plan"]
# audit-service gets its own resources folder with auditstore; its metadata will list only that.

# %% [markdown] tags=["expert"]
# The apps must share the namespace and placement, not the store. Each app that hosts workflows needs one actor state store, and its own will do: the parent's history is in one database, the child's in the other. A folder per app is plain to see; scopes do the same in one folder, and must then stand in both components.
