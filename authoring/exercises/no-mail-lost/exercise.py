# %% [markdown] tags=["opening"]
# # Exercise 01.2: lose no mail when the orchestrator dies
#
# Replace a plan in memory by a recorded step. 15 minutes.
#
# To be fast, the orchestrator puts mails into a queue in its memory and says that the task is completed. Then it is killed, as machines sometimes are.
#
# Out of scope: idempotency, pub/sub

# %% tags=["setup"]
from labkit import Lab, begin, check, diagnose, hint, reset

run_file = begin("no-mail-lost")

# %% [markdown] tags=["text"]
# ## What is wanted
#
# - after the kill the assignee has exactly one mail
# - the workflow is completed only when the mail has been handed over
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
    lab.kill("task-orchestrator-service", "worker")
    lab.up(announce=False)


lab = Lab(run_file)
scenario(lab)

# %% tags=["look"]
print(lab.run("order").output["notifications_sent"][0])
print("mails:", len(lab.inbox))

# %% [markdown] tags=["text"]
# ## Your plan
#
# One sentence: what do you change, and where will you see that it works?

# %% tags=["solution"]
# <solution goal="your sentence between the quotes" stub='plan = ""'>
plan = "The queue in memory dies with the process, so the hand-over itself becomes the step; then the mail is there after the kill."
# </solution>
diagnose("no-mail-lost", plan)

# %% [markdown] tags=["text"]
# ## Your change
#
# The files are below `.lab/work/no-mail-lost/`; you need `task-orchestrator-service/main.py`. A hint comes in three levels: `hint("no-mail-lost")`.
#
# Open: [dapr.yaml](../.lab/work/no-mail-lost/dapr.yaml), [components/statestore.yaml](../.lab/work/no-mail-lost/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/no-mail-lost/task-orchestrator-service/main.py), [notification-service/main.py](../.lab/work/no-mail-lost/notification-service/main.py).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("no-mail-lost")
# </solution>
lab = Lab(run_file)
scenario(lab)

# %% tags=["check"]
check("no-mail-lost")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# COMPLETED was a lie of the activity: it said sent when it meant queued. SIGKILL asks nobody, so no clean-up code helps. A step is safe when it is done before it says so: then a kill in the middle makes the runtime do it again. So the hand-over itself becomes the step.
#
# </details>
#
# Compare it with your sentence. To start over: `reset("no-mail-lost")`; your files are kept.

# %% tags=["close"]
lab.down()
