# %% [markdown] tags=["story"]
# Managers want to know about assignments, too. Their address is in the orchestrator: `MANAGER`.

# %% [markdown] tags=["wanted"]
# - the assignee gets one mail, the manager gets one
# - each mail has an idempotency key of its own
# - both are sent by `notification-service`

# %% tags=["look"]
[(mail.to, mail.subject) for mail in lab.inbox]

# %% [markdown] tags=["plan"]
# A second call of send_email with the manager as recipient; the inbox will show two mails with two keys.

# %% [markdown] tags=["expert"]
# A step is a call, not a function: two calls of `send_email` are two steps, each with its own place in the history and its own key. So nothing is taken for a repetition. The service did not change; it does not know how many mails an order needs. That knowledge is the orchestrator's.
