# %% [markdown] tags=["story"]
# Every week the notification team asks for another change of the mails, and each time you deploy the orchestrator. From now on the team owns the campaign: who is informed in which order, how often a mail is tried, and what happens when it is refused.

# %% [markdown] tags=["wanted"]
# - `notification-service` has a workflow `notification_campaign`: its input has `task_id`, `title` and `audience`, a list of addresses; its output is `{"sent": NUMBER}`
# - `task_processing` calls it as a child, and sends no mail itself
# - a campaign that has begun ends without the orchestrator
# - each mail is tried three times; one that is refused stops neither the campaign nor the order
# - all else is as before: both people get their mail, the output says how many `mails`, and `task_escalation` works

# %% [markdown] tags=["scenario"]
# The change is in two files: `notification-service/main.py` and `task-orchestrator-service/main.py`.

# %% tags=["scenario"]
order = {
    "task_id": "task-123",
    "title": "Review PR",
    "user_id": "alice",
    "email": "alice@example.com",
    "manager_email": "boss-of-alice@example.com",
}


def scenario(lab):
    lab.up(announce=False)
    client = lab.client("task-orchestrator-service")
    client.schedule_new_workflow("task_processing", input=order, instance_id="order")
    print("status:", lab.run("order").settle(), "mails:", len(lab.inbox))


# %% tags=["look"]
[(step.name, step.app_id) for step in lab.run("order").history.own_steps()]

# %% [markdown] tags=["plan"]
# I move the loop over the people, with its retry policy and its except, into a workflow of notification-service, and call it as a child; the orchestrator's own history will have no send_email any more.

# %% [markdown] tags=["expert"]
# What moves is a decision, not only a call: the order of the mails, the attempts, and what a refusal means. Together they are a workflow, and it belongs to the app that sends the mails. The caller keeps a name, an input and an output: that is the contract on which both teams have to agree. From then on the campaign's history is in the owner's store, and a campaign goes on while the orchestrator is being deployed.
