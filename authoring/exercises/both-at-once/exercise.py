# %% [markdown] tags=["opening"]
# # Exercise 03.2: send both messages at the same time
#
# Change two steps that follow each other into two that run together. 15 minutes.
#
# The provider needs a second for each message. Mail and push do not depend on each other, yet they wait for each other.
#
# Out of scope: limits at the target

# %% tags=["setup"]
from labkit import Lab, begin, check, diagnose, hint, reset

run_file = begin("both-at-once")

# %% [markdown] tags=["text"]
# ## What is wanted
#
# - mail and push are under way at the same time
# - the result still holds both answers
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
lab.run("order").show()

# %% [markdown] tags=["text"]
# ## Your plan
#
# One sentence: what do you change, and where will you see that it works?

# %% tags=["solution"]
# <solution goal="your sentence between the quotes" stub='plan = ""'>
plan = "Make both calls first and wait for both with when_all; the swimlane will show two bars at the same time."
# </solution>
diagnose("both-at-once", plan)

# %% [markdown] tags=["text"]
# ## Your change
#
# The files are below `.lab/work/both-at-once/`; you need `task-orchestrator-service/main.py`. A hint comes in three levels: `hint("both-at-once")`.
#
# Open: [dapr.yaml](../.lab/work/both-at-once/dapr.yaml), [components/statestore.yaml](../.lab/work/both-at-once/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/both-at-once/task-orchestrator-service/main.py), [notification-service/main.py](../.lab/work/both-at-once/notification-service/main.py).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("both-at-once")
# </solution>
lab = Lab(run_file)
scenario(lab)

# %% tags=["check"]
check("both-at-once")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# `ctx.call_activity` describes a call; nothing is waited for until `yield`. With both calls made before the first `yield`, the runtime starts both. `when_all` then waits for all, in the order of the calls. The swimlane shows two bars side by side, and the order takes half the time.
#
# </details>
#
# Compare it with your sentence. To start over: `reset("both-at-once")`; your files are kept.

# %% tags=["close"]
lab.down()
