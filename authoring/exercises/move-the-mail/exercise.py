# %% [markdown] tags=["story"]
# In the services of the course, `task-orchestrator-service` has the role of the assigner: its workflow validates and assigns a task, then sends a mail and a push message. Today it sends the mail itself, so it has to know the mail server and, in a real system, its password. That knowledge should be in one app only.

# %% [markdown] tags=["wanted"]
# - the mail is sent by `notification-service`
# - the assignee still gets exactly one mail

# %% tags=["look"]
[(step.name, step.app_id) for step in lab.run("order").history.own_steps()]

# %% [markdown] tags=["plan"]
# Call send_email in notification-service in place of the local activity; the history will name that app.

# %% [markdown] tags=["expert"]
# The app that owns the credentials does the step. Only one line of the workflow changes: the activity's name as a text, and `app_id`. The local activity can then be deleted, and with it everything that the orchestrator knew about mail. The history shows the app of each step, so you can prove it.
