# %% [markdown] tags=["opening"]
# # Exercise 07.1: try again when the provider is overloaded
#
# Choose a retry policy that outlasts a short failure. 12 minutes.
#
# The mail provider refuses the first three tries and then works again. Today every order fails.
#
# Out of scope: absent apps, timeouts

# %% tags=["setup"]
from labkit import Lab, begin, check, diagnose, hint, reset

run_file = begin("try-again")

# %% [markdown] tags=["text"]
# ## What is wanted
#
# - the order is completed
# - the assignee gets one mail
# - the mail is tried again by the workflow, not more than six times
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
print(lab.run("order").failure.message)

# %% tags=["look"]
len(lab.ledger("notification-service", "tries"))

# %% [markdown] tags=["text"]
# ## Your plan
#
# One sentence: what do you change, and where will you see that it works?

# %% tags=["solution"]
# <solution goal="your sentence between the quotes" stub='plan = ""'>
plan = "A retry policy with five attempts at the mail call; the ledger will count four tries and the inbox one mail."
# </solution>
diagnose("try-again", plan)

# %% [markdown] tags=["text"]
# ## Your change
#
# The files are below `.lab/work/try-again/`; you need `task-orchestrator-service/main.py`. A hint comes in three levels: `hint("try-again")`.
#
# Open: [dapr.yaml](../.lab/work/try-again/dapr.yaml), [components/statestore.yaml](../.lab/work/try-again/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/try-again/task-orchestrator-service/main.py), [notification-service/main.py](../.lab/work/try-again/notification-service/main.py).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("try-again")
# </solution>
lab = Lab(run_file)
scenario(lab)

# %% tags=["check"]
check("try-again")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# The failure was raised in the activity, so it reached the caller: that is what a retry policy can see. The first try counts, so three failures need at least four attempts. The pauses belong to the policy too, and with a coefficient they grow, which an overloaded provider thanks you for. The idempotency key stays the same over all tries.
#
# </details>
#
# Compare it with your sentence. To start over: `reset("try-again")`; your files are kept.

# %% tags=["close"]
lab.down()
