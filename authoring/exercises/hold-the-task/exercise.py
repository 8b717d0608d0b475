# %% [markdown] tags=["story"]
# The audit finds a violation, and the task is completed all the same. The compliance team, which owns the rules in `audit-service` and changes them now and then, wants such a task to be held.

# %% [markdown] tags=["wanted"]
# - a task whose audit is not compliant ends with `status` "held"
# - a compliant one ends with "completed", as before
# - both workflows and both audits complete: held is a result, not a failure
# - there is one alert for a task that is held, and the output still has the answers of the mail and of the audit

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
    for name, given in (
        ("good", order("task-123")),
        ("bad", order("task-124", "mallory@else.org")),
    ):
        client.schedule_new_workflow("task_with_audit", input=given, instance_id=name)
        print(name, lab.run(name).settle())


# %% tags=["look"]
lab.run("bad").output["audit"], lab.run("bad").output["status"]

# %% [markdown] tags=["plan"]
# The status depends on the result of the child; the output of the second order will say held.

# %% [markdown] tags=["expert"]
# In the parent, the result of a child workflow is an ordinary value. The child reports what it found, and the parent decides what follows: so one team keeps the rules and the other the process. An exception would turn a normal business case into a FAILED workflow, which callers would retry.
