# %% [markdown] tags=["story"]
# The compliance team wants to find an audit by the user and the task that it is about. Today an audit is named after its parent and a step number.

# %% [markdown] tags=["wanted"]
# - the audit of task `task-123`, assigned to `user-alice`, has the instance ID `user-alice-task-123`, and so on for every user and task
# - the audits run in `audit-service`, and every order completes, as before

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
[child.instance_id for name in ("one", "two") for child in lab.run(name).history.children]

# %% [markdown] tags=["plan"]
# I pass an instance_id made from the user ID and the task ID to call_child_workflow; the children in the history will have these IDs.

# %% [markdown] tags=["expert"]
# The parent may choose the child's instance ID. With an ID made from the user ID and the task ID, another team finds the audit without asking you. The ID has to come from the input: a random one would differ at each replay. And it has to differ from task to task: with one ID for all, the second audit replaces the first.
