# %% [markdown] tags=["story"]
# `bulk_task_processing` lets `ml-service` judge many tasks, and asks for all of them at once. With thousands of tasks that fills the runtime's queue, and everybody else's calls wait behind it.

# %% [markdown] tags=["wanted"]
# - of one bulk, at most `limit` inferences are under way at any time; `limit` is part of the input
# - a place that becomes free is used at once: a slow task does not hold up the others
# - every task is judged once, and the output counts them, as before
# - the Configuration of `ml-service` stays as it is: others use the model, too

# %% tags=["scenario"]
order = {
    "titles": [
        *("Review PR", "Security outage", "A report on the outage", "Fix a typo", "Urgent call"),
        *("Plan the week", "Wiki down", "Order paper", "Answer the survey"),
    ],
    "limit": 3,
}


def scenario(lab):
    lab.up(announce=False)
    client = lab.client("task-orchestrator-service")
    client.schedule_new_workflow("bulk_task_processing", input=order, instance_id="order")
    print("status:", lab.run("order").settle(), lab.run("order").output)


# %% tags=["look"]
kinds = lab.run("order").history.kinds
print("calls before the first answer:", kinds[: kinds.index("taskCompleted")].count("taskScheduled"))

# %% [markdown] tags=["plan"]
# I keep a list of running calls, and wait with when_any when it is as long as the limit; the history will never show more than limit calls without an answer.

# %% [markdown] tags=["expert"]
# A bulk with a limit is a list of running calls and one rule: when it is full, wait for whichever ends first. `when_any` returns that task, its answer is there, and its place is free. Batches with `when_all` keep the limit as well, but each batch takes as long as its slowest call. The limit of the caller is a promise about this workflow only. What protects the target from all its callers together is the limit in its own Configuration.
