# %% [markdown] tags=["story"]
# Managers want to know about assignments, too. Their address is in the orchestrator: `MANAGER`.

# %% [markdown] tags=["wanted"]
# - the assignee gets one mail, the manager gets one; each names the task, by its ID or its title
# - both are sent by `notification-service`, which stays as it is
# - each mail has an idempotency key of its own: the one of its call

# %% tags=["look"]
[(mail.to, mail.subject) for mail in lab.inbox]

# %% [markdown] tags=["plan"]
# A second call of send_email with the manager as recipient; the inbox will show two mails with two keys.

# %% [markdown] tags=["expert"]
# Two calls of `send_email` are two steps, each with its own place in the history and its own key. So the second one is not taken for a repetition of the first. The service did not change: it does not know how many mails an order needs, only the orchestrator does.
