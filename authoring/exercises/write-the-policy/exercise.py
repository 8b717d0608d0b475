# %% [markdown] tags=["story"]
# mTLS is on, and two policies are there, without a rule: `notification-service` and `audit-service` refuse everybody. Now the calls that the workflows need have to be let through, and not one more.

# %% [markdown] tags=["wanted"]
# - `task_with_audit` and `task_processing_multi_app` end with COMPLETED
# - no other call is let through: no other app, no other name and no other operation

# %% tags=["look"]
print(lab.run("order").failure)

# %% tags=["look"]
for app in lab.started_apps():
    print(app.app_id, app.metadata().get("workflowAccessPolicies"))

# %% [markdown] tags=["plan"]
# One rule for send_email and send_push in notification-service, one for the operation schedule of the audit workflow, both for the orchestrator only, by their whole names.

# %% [markdown] tags=["expert"]
# A policy is written from the calls that are made: the history of an order names each of them, with its app. Callers stand with their app IDs, activities and workflows with whole names, since a pattern also lets through what is added next year. Who may schedule a workflow may not end it.
