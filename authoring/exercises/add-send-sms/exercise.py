# %% [markdown] tags=["opening"]
# # Exercise 02.1: add an activity that other apps can call
#
# Build an activity with a typed input and an idempotency key. 18 minutes.
#
# The orchestrator has a new workflow, `task_by_sms`. It calls an activity `send_sms` in `notification-service` with `phone` and `message`. Nobody has written that activity yet.
#
# Out of scope: retry policies, a real SMS provider

# %% tags=["setup"]
from labkit import Lab, begin, check, diagnose, hint, reset

run_file = begin("add-send-sms")

# %% [markdown] tags=["text"]
# ## What is wanted
#
# - the workflow completes
# - the ledger of `notification-service` has one delivery, channel `sms`, for that phone
# - the key of the delivery is the one that stays the same when the call is repeated
# - no real SMS is sent: a log line in place of the provider will do
#
# Run the scenario now, to see where you stand. Run it again after each change.

# %% tags=["scenario"]
order = {"task_id": "task-123", "title": "Review PR", "phone": "+49 30 1234"}


def scenario(lab):
    lab.up(announce=False)
    client = lab.client("task-orchestrator-service")
    client.schedule_new_workflow("task_by_sms", input=order, instance_id="order")
    print("status:", lab.run("order").settle())


lab = Lab(run_file)
scenario(lab)

# %% tags=["look"]
print(lab.run("order").failure.message)

# %% [markdown] tags=["text"]
# ## Your plan
#
# One sentence: what do you change, and where will you see that it works?

# %% tags=["solution"]
# <solution goal="your sentence between the quotes" stub='plan = ""'>
plan = "I add an activity registered as send_sms that goes through deliver_once; the ledger will have a row with channel sms."
# </solution>
diagnose("add-send-sms", plan)

# %% [markdown] tags=["text"]
# ## Your change
#
# The files are below `.lab/work/add-send-sms/`; you need `notification-service/main.py`. A hint comes in three levels: `hint("add-send-sms")`.
#
# Open: [dapr.yaml](../.lab/work/add-send-sms/dapr.yaml), [components/statestore.yaml](../.lab/work/add-send-sms/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/add-send-sms/task-orchestrator-service/main.py), [notification-service/main.py](../.lab/work/add-send-sms/notification-service/main.py).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("add-send-sms")
# </solution>
lab = Lab(run_file)
scenario(lab)

# %% tags=["check"]
check("add-send-sms")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# Three things make an activity of a service: a name in the decorator, one input that is plain JSON, and a key that stays when the call is repeated. Everything else was there: `deliver_once` writes the ledger. Nothing had to be told to the orchestrator or to Dapr; the name was enough.
#
# </details>
#
# Compare it with your sentence. To start over: `reset("add-send-sms")`; your files are kept.

# %% tags=["close"]
lab.down()
