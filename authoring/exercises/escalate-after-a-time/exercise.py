# %% [markdown] tags=["story"]
# A task is assigned, and `task_escalation` waits for the event `task_done`. It waits for as long as it takes, and some tasks are forgotten.

# %% [markdown] tags=["wanted"]
# - without `task_done` after `REMIND_AFTER`, the assignee gets a second mail, by `mail(ctx, …, "Reminder", task)`
# - without it after `ESCALATE_AFTER` more, the manager gets a mail, "Please decide", and the workflow waits for the event `approval`
# - an `approval` with `approved: True` assigns the task to the manager; the output says `reassigned`, with `approved: False` it says `kept`, without an answer after `APPROVAL_WITHIN` it says `timed out`; `by` names who answered
# - a `task_done` that comes before the manager is asked ends the workflow, also after the reminder

# %% tags=["scenario"]
task = {"task_id": "task-123", "title": "Review PR"}
task |= {"assignee_email": "alice@example.com", "manager_email": "morgan@example.com"}


def scenario(lab):
    lab.up(announce=False)
    client = lab.client("escalation-service")
    for name in ("silent", "decided"):
        client.schedule_new_workflow("task_escalation", input=task, instance_id=name)
    answer = {"approved": True, "by": "morgan"}
    client.raise_workflow_event("decided", "approval", data=answer)  # kept until the wait
    for name in ("silent", "decided"):
        print(name, lab.run(name).settle(8), lab.run(name).output)

# %% tags=["look"]
lab.run("silent").show()

# %% [markdown] tags=["plan"]
# Each wait gets a time-out, and the TimeoutError leads to the next mail; the inbox will show a reminder and a mail to the manager.

# %% [markdown] tags=["expert"]
# Three waits of the same form, so they are one helper: `yield ctx.wait_for_external_event(name, timeout=…)`, and `None` after a `TimeoutError`. The helper contains a `yield`, so it is called with `yield from`.
#
# A race of the wait with `ctx.create_timer` looks the same and is not: the wait that lost stays in line and takes the `task_done` that comes after the reminder. Whoever races must keep one wait for both races. And an answer of `approved: False` is an answer: compare with `None`, not with the data itself.
