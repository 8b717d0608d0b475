# %% [markdown] tags=["opening"]
# # Break lab 07.5: find out why nothing is retried
#
# Diagnose a retry that never happens. 10 minutes.
#
# The mail server was down for two seconds. The retry policy should have helped. It is copied from a page on the web.
#
# Out of scope: backoff arithmetic

# %% tags=["setup"]
from labkit import Lab, broken, check, diagnose, hint, reset, wait_until

run_file = broken("nothing-is-retried")

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


def scenario(lab):
    lab.up(announce=False)
    lab.kill("mail")
    client = lab.client("task-orchestrator-service")
    client.schedule_new_workflow("resilient_task_processing", input=order, instance_id="order")
    run = lab.run("order")
    wait_until(lambda: run.has_ended or "taskFailed" in run.history.kinds)
    lab.up(announce=False)  # the mail server is there again
    print("status:", run.settle(20))


lab = Lab(run_file)
scenario(lab)

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
diagnose("nothing-is-retried", cause)

# %% [markdown] tags=["text"]
# ## The repair
#
# Edit the files below `.lab/work/nothing-is-retried/`: the smallest change that fixes the cause. Then run the scenario again. A hint comes in three levels: `hint("nothing-is-retried")`.
#
# Open: [dapr.yaml](../.lab/work/nothing-is-retried/dapr.yaml), [components/statestore.yaml](../.lab/work/nothing-is-retried/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/nothing-is-retried/task-orchestrator-service/main.py), [notification-service/main.py](../.lab/work/nothing-is-retried/notification-service/main.py).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("nothing-is-retried")
# </solution>
lab = Lab(run_file)
scenario(lab)

# %% tags=["check"]
check("nothing-is-retried")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# Symptom: FAILED within a moment, before any mail was tried. The message is Python's own: an argument that `RetryPolicy` does not have. The page had the names of another SDK. The names of this one: `first_retry_interval`, `max_number_of_attempts` (the first try counts), `backoff_coefficient`, `max_retry_interval`.
#
# </details>
#
# Compare it with your sentence. All exercises, lesson by lesson: [exercises/README.md](../exercises/README.md).

# %% tags=["close"]
lab.down()
