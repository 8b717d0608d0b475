# %% [markdown] tags=["story"]
# `task_watch` notes each change of a task, for as long as the task is open. For some tasks that is a year, with some hundred changes. The first changes of a task are noted in milliseconds. The older a task is, the longer each one takes, and the more the sidecar reads and writes for it.

# %% [markdown] tags=["scenario"]
# Forty changes come, and the task stays open. After the repair every change must still be noted, in order, also when many come at once; `changes` in the output counts all of them; and neither the history nor the input of the workflow may grow with their number.

# %% tags=["scenario"]
def scenario(lab):
    lab.up("escalation-service", announce=False)
    client = lab.client("escalation-service")
    client.schedule_new_workflow("task_watch", input={"task_id": "task-123"}, instance_id="order")
    for number in range(1, 41):
        client.raise_workflow_event("order", "change", data={"what": f"change {number}"})
    print("status:", lab.run("order").settle(), "- noted:", noted(lab))


def noted(lab):
    return len(lab.ledger("escalation-service", "changes"))


# %% tags=["look"]
sum(step.name == "note_change" for step in lab.run("order").history.steps())

# %% tags=["look"]
print("a long history:", len(lab.run("order").history.events) > 150)

# %% [markdown] tags=["plan"]
# The workflow never starts over, so its history holds every change since the beginning, and each turn replays all of it.

# %% [markdown] tags=["expert"]
# Symptom: nothing is wrong with any single change, and each one costs more than the one before. What grows with every event? The history: it holds all forty changes, four to five events each, and every turn hands all of them to the worker, which replays them.
#
# Repair: after some changes `ctx.continue_as_new(state, save_events=True)`. The new run has an empty history, so all that it must know stands in its input: the task and the count, not the changes themselves, else the input grows instead. Without `save_events=True` the changes that came meanwhile are lost, and only on busy days.
