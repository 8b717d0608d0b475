# %% [markdown] tags=["story"]
# An auditor opens the audit history of the first order and finds the second order in it. Each order needs an audit history of its own, whatever orders follow, and also after the service has been restarted.

# %% tags=["scenario"]
def scenario(lab):
    lab.up(announce=False)
    client = lab.client("task-orchestrator-service")
    for task_id in ("task-1", "task-2"):
        client.schedule_new_workflow(
            "task_with_audit", input={**order, "task_id": task_id}, instance_id=task_id
        )
        print(task_id, lab.run(task_id).settle(10))

# %% tags=["look"]
for task_id in ("task-1", "task-2"):
    (child,) = lab.run(task_id).history.children
    started = child.events[1].argument
    print(f"{task_id}: child {child.instance_id!r}, which was started with", started["task_id"])

# %% tags=["look"]
[row["task_id"] for row in lab.ledger("audit-service", "events")]

# %% [markdown] tags=["plan"]
# Both parents give their child the instance ID audit, so the second run replaces the history of the first.

# %% [markdown] tags=["expert"]
# Symptom: no error. Two parents, two completed audits in the ledger, one instance ID. On 1.18.1 the ID of a finished instance can be reused: the second child runs under it, and the first history is gone. So an ID must name one piece of work. Make it from the order, or leave it out: then Dapr makes one from the parent's ID. A counter in memory starts over with each restart, and so do the IDs.
