# %% [markdown] tags=["story"]
# The notification team moved its app for a test. It is running and healthy, and yet orders hang.

# %% tags=["look"]
def types(app_id):
    return sorted(a["type"] for a in lab.app(app_id).metadata()["actorRuntime"]["activeActors"])


types("task-orchestrator-service") + types("notification-service")

# %% tags=["look"]
[step.name for step in lab.run("order").history.steps()]

# %% [markdown] tags=["plan"]
# notification-service runs in the namespace payments, the orchestrator in default.

# %% [markdown] tags=["expert"]
# Symptom: RUNNING, both apps healthy. It looks like an absent app. The metadata shows the difference: `dapr.internal.payments.…` beside `dapr.internal.default.…`. A workflow never leaves its namespace. Repair: one namespace for all of its apps. The waiting order then completes by itself.
