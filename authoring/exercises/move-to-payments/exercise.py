# %% [markdown] tags=["story"]
# The two apps move into the namespace `payments`. A sidecar outside Kubernetes takes its namespace from the environment variable `NAMESPACE`; a run file sets variables with `env`.

# %% [markdown] tags=["wanted"]
# - both apps are in the namespace `payments`
# - the order is completed as before: `notification-service` sends the mail

# %% tags=["look"]
for app in lab.started_apps():
    types = [a["type"] for a in app.metadata()["actorRuntime"]["activeActors"]]
    print(min(types))

# %% [markdown] tags=["plan"]
# NAMESPACE under common moves both sidecars; the actor types will say payments.

# %% [markdown] tags=["expert"]
# A call looks for its target in the caller's namespace only. If you move one app at a time, the apps cannot call each other in between, and running workflows wait. So they move together: one line under `common`. The actor types prove it: the namespace is their third word.
