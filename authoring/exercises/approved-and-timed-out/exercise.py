# %% [markdown] tags=["story"]
# The assignee of a task is reminded twice, then the manager decides. Morgan is going on holiday, so she approves at once, before anybody has asked her. Her client says that the approval was accepted. In the end the task is still with Alice, and the output says `timed out`.

# %% [markdown] tags=["scenario"]
# `eventRaised` in the first line is the approval, in the history of the workflow.

# %% tags=["scenario"]
task = {"task_id": "task-123", "title": "Review PR"}
task |= {"assignee_email": "alice@example.com", "manager_email": "morgan@example.com"}


def scenario(lab):
    lab.up(announce=False)
    client = lab.client("escalation-service")
    client.schedule_new_workflow("task_escalation", input=task, instance_id="order")
    answer = {"approved": True, "by": "morgan"}
    client.raise_workflow_event("order", "approval", data=answer)
    wait_until(lambda: "eventRaised" in lab.run("order").history.kinds, 30)
    print("it came: eventRaised")
    print("status:", lab.run("order").settle(8), lab.run("order").output)

# %% tags=["look"]
[mail.subject for mail in lab.inbox]

# %% tags=["look"]
[step.name for step in lab.run("order").history.steps()]

# %% [markdown] tags=["plan"]
# After each reminder the workflow starts over with an empty history, and continue_as_new does not hand over the approval that came early.

# %% [markdown] tags=["expert"]
# Symptom: the event was in the history, and at the end it is not. A history does not lose events, so this is another history: it holds neither the assignment nor the first mail. The workflow has started over, twice. What came before its wait was kept in the run that ended, and the next run got a new input and nothing else.
#
# Repair: `save_events=True`. A loop in place of `continue_as_new` works as well, as long as the number of rounds is small. To give the manager more time does not help, since the approval is not late.
