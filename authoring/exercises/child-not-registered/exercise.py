# %% [markdown] tags=["opening"]
# # Break lab 04.1: find out why audited orders fail
#
# Diagnose a failure that crosses apps from the history of each. 10 minutes.
#
# The compliance team cleaned up names in its service. Since then every audited order fails.
#
# Out of scope: child instance IDs

# %% tags=["setup"]
from labkit import Lab, broken, check, diagnose, hint, reset

run_file = broken("child-not-registered")

# %% [markdown] tags=["text"]
# ## The scenario
#
# Run it now. Run it again after each repair.

# %% tags=["scenario"]
order = {
    "task_id": "task-123",
    "title": "Review PR",
    "assignee_email": "alice@example.com",
    "assignee_user_id": "user-alice",
}


def scenario():
    lab = Lab(run_file)
    lab.up(announce=False)
    client = lab.client("task-orchestrator-service")
    client.schedule_new_workflow("task_with_audit", input=order, instance_id="order")
    print("status:", lab.run("order").settle())
    return lab


lab = scenario()

# %% [markdown] tags=["text"]
# ## The symptom, and who knows more
#
# Write down what you see. Then ask: who knows about it? The history, the metadata, the placement table, a log?

# %% tags=["look"]
child = lab.run("order").history.steps()[-1]
print(child.name, child.outcome, child.failure.error_type)
print(lab.run("order").failure.message)

# %% tags=["look"]
[step.name for step in lab.run("order").history.steps()]

# %% [markdown] tags=["text"]
# ## Your diagnosis
#
# One sentence: which part does what wrong, and how do you know?

# %% tags=["solution"]
# <solution goal="your sentence between the quotes" stub='cause = ""'>
cause = "audit-service registers compliance_audit, the orchestrator calls compliance_audit_workflow."
# </solution>
diagnose("child-not-registered", cause)

# %% [markdown] tags=["text"]
# ## The repair
#
# Edit the files below `.lab/work/child-not-registered/`: the smallest change that mends the cause. Then run the scenario again. A hint comes in three levels: `hint("child-not-registered")`.
#
# Open: [dapr.yaml](../.lab/work/child-not-registered/dapr.yaml), [components/statestore.yaml](../.lab/work/child-not-registered/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/child-not-registered/task-orchestrator-service/main.py), [notification-service/main.py](../.lab/work/child-not-registered/notification-service/main.py), [audit-service/main.py](../.lab/work/child-not-registered/audit-service/main.py).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("child-not-registered")
# </solution>
lab = scenario()

# %% tags=["check"]
check("child-not-registered")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# Symptom: FAILED, `OrchestratorNotRegisteredError`. The app was reached, its worker does not have the name. Compare the call with the decorator in audit-service. Repair: make the names equal. A team that others call should keep the old name.
#
# </details>
#
# Compare it with your sentence. The next break lab is in `exercises/`.

# %% tags=["close"]
lab.down()
