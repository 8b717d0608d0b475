# %% [markdown] tags=["opening"]
# # Exercise 01.1: move a step to the app that should do it
#
# Change a local step into a call of another app. 12 minutes.
#
# The orchestrator sends mails by itself, so it has to know the mail server and its credentials. That knowledge should be in one app only.
#
# Out of scope: retries, child workflows

# %% tags=["setup"]
from labkit import Lab, begin, check, diagnose, hint, reset

run_file = begin("move-the-mail")

# %% [markdown] tags=["text"]
# ## What is wanted
#
# - the mail is sent by `notification-service`
# - the assignee still gets exactly one mail
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
[(step.name, step.app_id) for step in lab.run("order").history.own_steps()]

# %% [markdown] tags=["text"]
# ## Your plan
#
# One sentence: what do you change, and where will you see that it works?

# %% tags=["solution"]
# <solution goal="your sentence between the quotes" stub='plan = ""'>
plan = "Call send_email in notification-service in place of the local activity; the history will name that app."
# </solution>
diagnose("move-the-mail", plan)

# %% [markdown] tags=["text"]
# ## Your change
#
# The files are below `.lab/work/move-the-mail/`; you need `task-orchestrator-service/main.py`. A hint comes in three levels: `hint("move-the-mail")`.
#
# Open: [dapr.yaml](../.lab/work/move-the-mail/dapr.yaml), [components/statestore.yaml](../.lab/work/move-the-mail/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/move-the-mail/task-orchestrator-service/main.py), [notification-service/main.py](../.lab/work/move-the-mail/notification-service/main.py).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("move-the-mail")
# </solution>
lab = Lab(run_file)
scenario(lab)

# %% tags=["check"]
check("move-the-mail")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# The app that owns the credentials does the step. Only one line of the workflow changes: the activity's name as a text, and `app_id`. The local activity can then be deleted, and with it everything that the orchestrator knew about mail. The history shows the app of each step, so you can prove it.
#
# </details>
#
# Compare it with your sentence. To start over: `reset("move-the-mail")`; your files are kept.

# %% tags=["close"]
lab.down()
