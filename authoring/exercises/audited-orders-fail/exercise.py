# %% [markdown] tags=["opening"]
# # Break lab 04.3: find out why audited orders fail
#
# Diagnose a failure that crosses apps from the history of each. 10 minutes.
#
# The compliance team cleaned up names in its service. Since then every audited order fails.
#
# Out of scope: child instance IDs

# %% tags=["setup"]
from labkit import Lab, broken, check, diagnose, hint, reset

run_file = broken("audited-orders-fail")

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


def scenario(lab):
    lab.up(announce=False)
    client = lab.client("task-orchestrator-service")
    client.schedule_new_workflow("task_with_audit", input=order, instance_id="order")
    print("status:", lab.run("order").settle())


lab = Lab(run_file)
scenario(lab)

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
diagnose("audited-orders-fail", cause)

# %% [markdown] tags=["text"]
# ## The repair
#
# Edit the files below `.lab/work/audited-orders-fail/`: the smallest change that fixes the cause. Then run the scenario again. A hint comes in three levels: `hint("audited-orders-fail")`.
#
# Open: [dapr.yaml](../.lab/work/audited-orders-fail/dapr.yaml), [components/statestore.yaml](../.lab/work/audited-orders-fail/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/audited-orders-fail/task-orchestrator-service/main.py), [notification-service/main.py](../.lab/work/audited-orders-fail/notification-service/main.py), [audit-service/main.py](../.lab/work/audited-orders-fail/audit-service/main.py).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("audited-orders-fail")
# </solution>
lab = Lab(run_file)
scenario(lab)

# %% tags=["check"]
check("audited-orders-fail")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# Symptom: FAILED, `OrchestratorNotRegisteredError`. The app was reached, its worker does not have the name. Compare the call with the decorator in audit-service. Repair: make the names equal. A team that others call should keep the old name.
#
# </details>
#
# Compare it with your sentence. All exercises, lesson by lesson: [exercises/README.md](../exercises/README.md).

# %% tags=["close"]
lab.down()
