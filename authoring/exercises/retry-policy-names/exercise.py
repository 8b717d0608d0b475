# %% [markdown] tags=["opening"]
# # Break lab 07.3: find out why nothing is retried
#
# Diagnose a retry that never happens. 10 minutes.
#
# The mail server was down for two seconds. The retry policy should have helped. It is copied from a page on the web.
#
# Out of scope: backoff arithmetic

# %% tags=["setup"]
from labkit import Lab, broken, check, diagnose, hint, reset

run_file = broken("retry-policy-names")

# %% [markdown] tags=["text"]
# ## The scenario
#
# Run it now. Run it again after each repair.

# %% tags=["scenario"]
order = {
    "task_id": "task-123",
    "title": "Review PR",
    "assignee_email": "alice@example.com",
    "assignee_user_id": "user-alice",
}


def scenario():
    lab = Lab(run_file)
    lab.up(announce=False)
    lab.kill("mail")
    client = lab.client("task-orchestrator-service")
    client.schedule_new_workflow("resilient_task_processing", input=order, instance_id="order")
    if lab.run("order").settle(2) == "RUNNING":
        lab.up(announce=False)
    print("status:", lab.run("order").settle(20))
    return lab


lab = scenario()

# %% [markdown] tags=["text"]
# ## The symptom, and who knows more
#
# Write down what you see. Then ask: who knows about it? The history, the metadata, the placement table, a log?

# %% tags=["look"]
print(lab.run("order").failure.message if lab.run("order").failure else "no failure")

# %% tags=["look"]
[(s.name, s.attempt, s.outcome) for s in lab.run("order").history.steps()]

# %% [markdown] tags=["text"]
# ## Your diagnosis
#
# One sentence: which part does what wrong, and how do you know?

# %% tags=["solution"]
# <solution goal="your sentence between the quotes" stub='cause = ""'>
cause = "RetryPolicy has no max_attempts, initial_interval and max_interval, so the workflow raises a TypeError."
# </solution>
diagnose("retry-policy-names", cause)

# %% [markdown] tags=["text"]
# ## The repair
#
# Edit the files below `.lab/work/retry-policy-names/`: the smallest change that mends the cause. Then run the scenario again. A hint comes in three levels: `hint("retry-policy-names")`.
#
# Open: [dapr.yaml](../.lab/work/retry-policy-names/dapr.yaml), [components/statestore.yaml](../.lab/work/retry-policy-names/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/retry-policy-names/task-orchestrator-service/main.py), [notification-service/main.py](../.lab/work/retry-policy-names/notification-service/main.py).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("retry-policy-names")
# </solution>
lab = scenario()

# %% tags=["check"]
check("retry-policy-names")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# Symptom: FAILED within a moment, before any mail was tried. The message is Python's own: an argument that `RetryPolicy` does not have. The page had the names of another SDK. The names of this one: `first_retry_interval`, `max_number_of_attempts` (the first try counts), `backoff_coefficient`, `max_retry_interval`.
#
# </details>
#
# Compare it with your sentence. The next break lab is in `exercises/`.

# %% tags=["close"]
lab.down()
