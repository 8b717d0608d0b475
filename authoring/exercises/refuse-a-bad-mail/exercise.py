# %% [markdown] tags=["story"]
# Any app may call `send_email`. One of them sent a recipient without an @, and the mail went out to nowhere.

# %% [markdown] tags=["wanted"]
# - a recipient without an @ makes the call fail, and the message names the field `recipient`
# - nothing is delivered for it
# - a right mail is delivered as before

# %% tags=["scenario"]
def mail_to(recipient):
    message = {"recipient": recipient, "subject": "Task assigned", "body": "Hello"}
    return {"activity": "send_email", "message": message}


def scenario(lab):
    lab.up(announce=False)
    client = lab.client("task-orchestrator-service")
    for name, recipient in (("good", "alice@example.com"), ("bad", "nowhere")):
        given = mail_to(recipient)
        client.schedule_new_workflow("deliver_notification", input=given, instance_id=name)
        print(name, lab.run(name).settle(8))

# %% tags=["look"]
[row["recipient"] for row in lab.ledger("notification-service", "deliveries")]

# %% [markdown] tags=["plan"]
# The model Email gets a pattern for recipient; then the bad call fails with a message, and the ledger has no row for it.

# %% [markdown] tags=["expert"]
# The border of a service is where its input is checked, whoever calls. The model was there and only had to say more about one field. Pydantic raises before the first line of the activity runs, so nothing was handed over yet, and its message names the field. The failure travels to the caller, who can decide what to do.
