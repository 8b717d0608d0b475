# %% [markdown] tags=["story"]
# The compliance team wants to find the audit of a task by the task's ID. Today an audit is named after its parent and a step number.

# %% [markdown] tags=["wanted"]
# - the audit of task `task-123` has the instance ID `audit-task-123`, and so on for every task
# - the audits run in `audit-service`, as before

# %% tags=["scenario"]
def order(task_id, email="alice@example.com"):
    return {
        "task_id": task_id,
        "title": "Review PR",
        "assignee_email": email,
        "assignee_user_id": "user-alice",
    }


def scenario(lab):
    lab.up(announce=False)
    client = lab.client("task-orchestrator-service")
    for name, given in (("one", order("task-123")), ("two", order("task-124"))):
        client.schedule_new_workflow("task_with_audit", input=given, instance_id=name)
        print(name, lab.run(name).settle())

# %% tags=["look"]
[lab.run(name).history.children[0].instance_id for name in ("one", "two")]

# %% [markdown] tags=["plan"]
# I pass instance_id made from the task ID to call_child_workflow; the children in the history will have these names.

# %% [markdown] tags=["expert"]
# The parent may choose the child's instance ID. A name made from the task lets another team find the audit without asking you. It must come from the input: a random one would differ at each replay. And it must differ for each task: with one name for all, the second audit replaces the first.
