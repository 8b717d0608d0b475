# %% [markdown] tags=["story"]
# The notification team moved its app for a test. It is running and healthy, and yet orders hang.

# %% tags=["look"]
# Who knows more? Choose: lab.run("order").history, .failure or .show(); lab.status();
# lab.placement_state(); and of lab.app(app_id): metadata(), logs() or logs("sidecar").
# <solution goal="the evidence that you choose; add cells as you need them">
print([step.name for step in lab.run("order").history.steps()])
for app in lab.started_apps():
    offered = app.metadata()["actorRuntime"]["activeActors"]
    print(app.app_id, sorted(actor["type"] for actor in offered))
# </solution>

# %% [markdown] tags=["plan"]
# notification-service runs in the namespace payments, the orchestrator in default.

# %% [markdown] tags=["expert"]
# Symptom: RUNNING, both apps healthy. It looks like an absent app. The metadata shows the difference: `dapr.internal.payments.…` beside `dapr.internal.default.…`. A workflow never leaves its namespace. Repair: one namespace for all of its apps. The waiting order then completes by itself.
