# %% [markdown] tags=["story"]
# An audit records the order, checks it against the rules, and raises an alert when one is broken. The compliance team released a new version of its service. Since then every audited order fails.

# %% tags=["look"]
child = lab.run("order").history.steps()[-1]
print(child.name, child.outcome)
failure = lab.run("order").failure
print(f"{failure.error_type}: {failure.message}" if failure else "no failure")

# %% tags=["look"]
[step.name for step in lab.run("order").history.steps()]

# %% [markdown] tags=["plan"]
# audit-service registers compliance_audit, the orchestrator calls compliance_audit_workflow.

# %% [markdown] tags=["expert"]
# Symptom: FAILED, `OrchestratorNotRegisteredError`. So the app was reached, and its worker does not know the name. Compare the call with the decorator in audit-service. Repair: make the names equal. A team that other teams call should keep the old name.
