# %% [markdown] tags=["opening"]
# # Exercise 03.1: tell a second person
#
# Call the same remote activity twice, with two idempotency keys. 10 minutes.
#
# Managers want to know about assignments, too. Their address is in the orchestrator: `MANAGER`.
#
# Out of scope: parallel calls

# %% tags=["setup"]
from labkit import Lab, begin, check, diagnose, hint, reset

run_file = begin("tell-the-manager")

# %% [markdown] tags=["text"]
# ## What is wanted
#
# - the assignee gets one mail, the manager gets one
# - each mail has an idempotency key of its own
# - both are sent by `notification-service`
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
    print("status:", lab.run("order").settle())


lab = Lab(run_file)
scenario(lab)

# %% tags=["look"]
[(mail.to, mail.subject) for mail in lab.inbox]

# %% [markdown] tags=["text"]
# ## Your plan
#
# One sentence: what do you change, and where will you see that it works?

# %% tags=["solution"]
# <solution goal="your sentence between the quotes" stub='plan = ""'>
plan = "A second call of send_email with the manager as recipient; the inbox will show two mails with two keys."
# </solution>
diagnose("tell-the-manager", plan)

# %% [markdown] tags=["text"]
# ## Your change
#
# The files are below `.lab/work/tell-the-manager/`; you need `task-orchestrator-service/main.py`. A hint comes in three levels: `hint("tell-the-manager")`.
#
# Open: [dapr.yaml](../.lab/work/tell-the-manager/dapr.yaml), [components/statestore.yaml](../.lab/work/tell-the-manager/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/tell-the-manager/task-orchestrator-service/main.py), [notification-service/main.py](../.lab/work/tell-the-manager/notification-service/main.py).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("tell-the-manager")
# </solution>
lab = Lab(run_file)
scenario(lab)

# %% tags=["check"]
check("tell-the-manager")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# A step is a call, not a function: two calls of `send_email` are two steps, each with its own place in the history and its own key. So nothing is taken for a repetition. The service did not change; it does not know how many mails an order needs. That knowledge is the orchestrator's.
#
# </details>
#
# Compare it with your sentence. To start over: `reset("tell-the-manager")`; your files are kept.

# %% tags=["close"]
lab.down()
