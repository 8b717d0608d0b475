# %% [markdown] tags=["opening"]
# # Exercise 07.2: answer in time when the mail is slow
#
# Race a slow call with a timer. 15 minutes.
#
# The provider takes eight seconds for a mail. The order should not take so long: after `PATIENCE` (3 s) the workflow ends and says that the mail is not yet sent. The mail itself may arrive later.
#
# Out of scope: absent apps, terminate

# %% tags=["setup"]
from labkit import Lab, begin, check, diagnose, hint, reset

run_file = begin("do-not-wait-for-ever")

# %% [markdown] tags=["text"]
# ## What is wanted
#
# - the workflow completes in less than 6 seconds
# - its output says `sent: False` for the mail
# - the mail arrives later, once
#
# Run the scenario now, to see where you stand. Run it again after each change.

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
    client.schedule_new_workflow("task_processing_multi_app", input=order, instance_id="order")
    print("status:", lab.run("order").settle(12))


lab = Lab(run_file)
scenario(lab)

# %% tags=["look"]
lab.run("order").show()

# %% [markdown] tags=["text"]
# ## Your plan
#
# One sentence: what do you change, and where will you see that it works?

# %% tags=["solution"]
# <solution goal="your sentence between the quotes" stub='plan = ""'>
plan = "The call races with a timer; the history will end after three seconds and the inbox fill later."
# </solution>
diagnose("do-not-wait-for-ever", plan)

# %% [markdown] tags=["text"]
# ## Your change
#
# The files are below `.lab/work/do-not-wait-for-ever/`; you need `task-orchestrator-service/main.py`. A hint comes in three levels: `hint("do-not-wait-for-ever")`.
#
# Open: [dapr.yaml](../.lab/work/do-not-wait-for-ever/dapr.yaml), [components/statestore.yaml](../.lab/work/do-not-wait-for-ever/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/do-not-wait-for-ever/task-orchestrator-service/main.py), [notification-service/main.py](../.lab/work/do-not-wait-for-ever/notification-service/main.py).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("do-not-wait-for-ever")
# </solution>
lab = Lab(run_file)
scenario(lab)

# %% tags=["check"]
check("do-not-wait-for-ever")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# Dapr has no timeout for a call, so you race it with a timer. The loser is not undone: the activity goes on and the mail arrives. So the output must not claim more than it knows. This works because the app is there, only slow. For an app that is absent, the call has to stand in a child workflow, as `task_with_fallback` does.
#
# </details>
#
# Compare it with your sentence. To start over: `reset("do-not-wait-for-ever")`; your files are kept.

# %% tags=["close"]
lab.down()
