# %% [markdown] tags=["opening"]
# # Break lab 04.4: find out whose audit that is
#
# Trace the history of a child workflow back to its parent. 15 minutes.
#
# An auditor asks for the audit history of the first order. It is about the second order.
#
# Out of scope: purge, retention

# %% tags=["setup"]
from labkit import Lab, broken, check, diagnose, hint, reset

run_file = broken("whose-audit")

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
    for task_id in ("task-1", "task-2"):
        client.schedule_new_workflow(
            "task_with_audit", input={**order, "task_id": task_id}, instance_id=task_id
        )
        print(task_id, lab.run(task_id).settle(10))


lab = Lab(run_file)
scenario(lab)

# %% [markdown] tags=["text"]
# ## The symptom, and who knows more
#
# Write down what you see. Then ask: who knows about it? The history, the metadata, the placement table, a log?

# %% tags=["look"]
for task_id in ("task-1", "task-2"):
    (child,) = lab.run(task_id).history.children
    started = child.events[1].argument
    print(f"{task_id}: child {child.instance_id!r}, which began with", started["task_id"])

# %% tags=["look"]
[row["task_id"] for row in lab.ledger("audit-service", "events")]

# %% [markdown] tags=["text"]
# ## Your diagnosis
#
# One sentence: which part does what wrong, and how do you know?

# %% tags=["solution"]
# <solution goal="your sentence between the quotes" stub='cause = ""'>
cause = "Both parents give their child the instance ID audit, so the second run replaces the history of the first."
# </solution>
diagnose("whose-audit", cause)

# %% [markdown] tags=["text"]
# ## The repair
#
# Edit the files below `.lab/work/whose-audit/`: the smallest change that fixes the cause. Then run the scenario again. A hint comes in three levels: `hint("whose-audit")`.
#
# Open: [dapr.yaml](../.lab/work/whose-audit/dapr.yaml), [components/statestore.yaml](../.lab/work/whose-audit/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/whose-audit/task-orchestrator-service/main.py), [notification-service/main.py](../.lab/work/whose-audit/notification-service/main.py), [audit-service/main.py](../.lab/work/whose-audit/audit-service/main.py).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("whose-audit")
# </solution>
lab = Lab(run_file)
scenario(lab)

# %% tags=["check"]
check("whose-audit")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# Symptom: no error at all. Two parents, two completed audits in the ledger, one instance ID. On 1.18.1 an ID that has ended is free again: the second child runs under it, and the first history is gone. So an ID must name one piece of work: from the order, or left out. A random one made in workflow code would be another one in each replay: nobody could find the child by it.
#
# </details>
#
# Compare it with your sentence. All exercises, lesson by lesson: [exercises/README.md](../exercises/README.md).

# %% tags=["close"]
lab.down()
