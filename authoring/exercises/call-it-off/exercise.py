# %% [markdown] tags=["story"]
# A task is not wanted any more. Somebody terminates its workflow, and the assignee goes on working, for nobody has told them. Whoever calls a task off should be able to say so to the workflow.

# %% [markdown] tags=["wanted"]
# - the event `task_cancelled` ends `task_escalation` in each of its waits, and no further question or reminder is sent
# - the output then says `cancelled`, and `by` names who called it off
# - everybody who had a mail about the task gets one more, by `mail(ctx, …, "Task cancelled", task)`: the assignee, and the manager if the manager was asked; nobody else gets one
# - without that event all is as before

# %% tags=["scenario"]
task = {"task_id": "task-123", "title": "Review PR"}
task |= {"assignee_email": "alice@example.com", "manager_email": "morgan@example.com"}


def scenario(lab):
    lab.up(announce=False)
    before = len(lab.inbox.to("morgan@example.com"))
    client = lab.client("escalation-service")
    client.schedule_new_workflow("task_escalation", input=task, instance_id="off")
    wait_until(lambda: len(lab.inbox.to("morgan@example.com")) > before, 30, "the question")
    client.raise_workflow_event("off", "task_cancelled", data={"by": "robin"})
    print(lab.run("off").settle(8), lab.run("off").output)

# %% tags=["look"]
[(m.to, m.subject) for m in lab.inbox]

# %% [markdown] tags=["plan"]
# I make one wait for task_cancelled at the beginning and race it with each of the three waits; the inbox will show "Task cancelled" to the assignee and to the manager.

# %% [markdown] tags=["expert"]
# `terminate` is for operators: it ends a workflow where it stands, without a further step. To call something off is part of the business: somebody has to be told, and something may have to be undone. So it is an event, and the workflow decides what follows.
#
# One wait for `task_cancelled`, made once, takes part in every race. A new wait in each race would leave the earlier ones in line, and the first of them would take the event, unseen. The race ends in an exception of our own, so the way out stands in one place, however many waits there are.
