# %% [markdown] tags=["story"]
# The mail server was down for two seconds. The retry policy should have helped. It was copied from a web page. An order whose mail cannot be sent at all goes on without it, and that has to stay so.

# %% tags=["scenario"]
def scenario(lab):
    lab.up(announce=False)
    lab.kill("mail")
    client = lab.client("task-orchestrator-service")
    client.schedule_new_workflow("resilient_task_processing", input=order, instance_id="order")
    run = lab.run("order")
    wait_until(lambda: run.has_ended or "taskFailed" in run.history.kinds)
    lab.up(announce=False)  # the mail server runs again
    print("status:", run.settle(20))

# %% tags=["look"]
print(lab.run("order").failure.message if lab.run("order").failure else "no failure")

# %% tags=["look"]
[(s.name, s.attempt, s.outcome) for s in lab.run("order").history.steps()]

# %% [markdown] tags=["plan"]
# RetryPolicy has no max_attempts, initial_interval and max_interval, so the workflow raises a TypeError.

# %% [markdown] tags=["expert"]
# Symptom: FAILED within a moment, before any mail was tried. The message is Python's own: an argument that `RetryPolicy` does not have. The page used the names of another SDK. The names of this one: `first_retry_interval`, `max_number_of_attempts` (the first try counts), `backoff_coefficient`, `max_retry_interval`.
