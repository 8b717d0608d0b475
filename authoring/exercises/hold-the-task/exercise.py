# %% [markdown] tags=["opening"]
# # Exercise 04.2: hold a task whose audit found something
#
# Use the result of a child workflow to decide. 12 minutes.
#
# The audit runs, finds a violation, and the task is completed all the same. Compliance asks: hold it.
#
# Out of scope: compensation

# %% tags=["setup"]
from labkit import Lab, begin, check, diagnose, hint, reset

run_file = begin("hold-the-task")

# %% [markdown] tags=["text"]
# ## What is wanted
#
# - a task whose audit is not compliant ends with `status` "held"
# - a compliant one ends with "completed", as before
# - both workflows complete: held is a result, not a failure
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
    for name, given in (("good", order("task-123")), ("bad", order("task-124", "mallory@else.org"))):
        client.schedule_new_workflow("task_with_audit", input=given, instance_id=name)
        print(name, lab.run(name).settle())


lab = Lab(run_file)
scenario(lab)

# %% tags=["look"]
lab.run("bad").output["audit"], lab.run("bad").output["status"]

# %% [markdown] tags=["text"]
# ## Your plan
#
# One sentence: what do you change, and where will you see that it works?

# %% tags=["solution"]
# <solution goal="your sentence between the quotes" stub='plan = ""'>
plan = "The status depends on the result of the child; the output of the second order will say held."
# </solution>
diagnose("hold-the-task", plan)

# %% [markdown] tags=["text"]
# ## Your change
#
# The files are below `.lab/work/hold-the-task/`; you need `task-orchestrator-service/main.py`. A hint comes in three levels: `hint("hold-the-task")`.
#
# Open: [dapr.yaml](../.lab/work/hold-the-task/dapr.yaml), [components/statestore.yaml](../.lab/work/hold-the-task/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/hold-the-task/task-orchestrator-service/main.py), [notification-service/main.py](../.lab/work/hold-the-task/notification-service/main.py), [audit-service/main.py](../.lab/work/hold-the-task/audit-service/main.py).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("hold-the-task")
# </solution>
lab = Lab(run_file)
scenario(lab)

# %% tags=["check"]
check("hold-the-task")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# A child's result is an ordinary value in the parent. The child reports what it found, and the parent decides what follows: that keeps the rules in one team and the process in the other. Raising would make a FAILED workflow out of a normal business case, and callers would retry it.
#
# </details>
#
# Compare it with your sentence. To start over: `reset("hold-the-task")`; your files are kept.

# %% tags=["close"]
lab.down()
