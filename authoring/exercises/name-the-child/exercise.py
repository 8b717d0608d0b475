# %% [markdown] tags=["opening"]
# # Exercise 04.1: give each audit the name of its task
#
# Choose the instance ID of a child workflow. 10 minutes.
#
# The compliance team wants to find the audit of a task by the task's ID. Today an audit is named after its parent and a step number.
#
# Out of scope: using an ID twice

# %% tags=["setup"]
from labkit import Lab, begin, check, diagnose, hint, reset

run_file = begin("name-the-child")

# %% [markdown] tags=["text"]
# ## What is wanted
#
# - the audit of task `task-123` has the instance ID `audit-task-123`, and so on for every task
# - the audits run in `audit-service`, as before
#
# Run the scenario now, to see where you stand. Run it again after each change.

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


lab = Lab(run_file)
scenario(lab)

# %% tags=["look"]
[lab.run(name).history.children[0].instance_id for name in ("one", "two")]

# %% [markdown] tags=["text"]
# ## Your plan
#
# One sentence: what do you change, and where will you see that it works?

# %% tags=["solution"]
# <solution goal="your sentence between the quotes" stub='plan = ""'>
plan = "I pass instance_id made from the task ID to call_child_workflow; the children in the history will have these names."
# </solution>
diagnose("name-the-child", plan)

# %% [markdown] tags=["text"]
# ## Your change
#
# The files are below `.lab/work/name-the-child/`; you need `task-orchestrator-service/main.py`. A hint comes in three levels: `hint("name-the-child")`.
#
# Open: [dapr.yaml](../.lab/work/name-the-child/dapr.yaml), [components/statestore.yaml](../.lab/work/name-the-child/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/name-the-child/task-orchestrator-service/main.py), [notification-service/main.py](../.lab/work/name-the-child/notification-service/main.py), [audit-service/main.py](../.lab/work/name-the-child/audit-service/main.py).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("name-the-child")
# </solution>
lab = Lab(run_file)
scenario(lab)

# %% tags=["check"]
check("name-the-child")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# The parent may choose the child's instance ID. A name made from the task lets another team find the audit without asking you. It must come from the input: a random one would differ at each replay. And it must differ for each task: with one name for all, the second audit replaces the first.
#
# </details>
#
# Compare it with your sentence. To start over: `reset("name-the-child")`; your files are kept.

# %% tags=["close"]
lab.down()
