# %% [markdown] tags=["story"]
# The audit runs, finds a violation, and the task is completed all the same. Compliance asks: hold it.

# %% [markdown] tags=["wanted"]
# - a task whose audit is not compliant ends with `status` "held"
# - a compliant one ends with "completed", as before
# - both workflows complete: held is a result, not a failure

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
    for name, given in (("good", order("task-123")), ("bad", order("task-124", "mallory@else.org"))):
        client.schedule_new_workflow("task_with_audit", input=given, instance_id=name)
        print(name, lab.run(name).settle())

# %% tags=["look"]
lab.run("bad").output["audit"], lab.run("bad").output["status"]

# %% [markdown] tags=["plan"]
# The status depends on the result of the child; the output of the second order will say held.

# %% [markdown] tags=["expert"]
# A child's result is an ordinary value in the parent. The child reports what it found, and the parent decides what follows: that keeps the rules in one team and the process in the other. Raising would make a FAILED workflow out of a normal business case, and callers would retry it.
