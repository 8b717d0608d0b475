# %% [markdown] tags=["story"]
# Any app may call `send_email`. One of them sent a recipient without an @, and the mail went out to nowhere.

# %% [markdown] tags=["wanted"]
# - a call with a recipient without an @ fails in `notification-service`, whoever the caller is, and the message of the failure names the field `recipient`
# - nothing is delivered for such a call: no mail, and no row in any table of the ledger
# - a mail to a valid address is delivered as before

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
# A service checks its input where it arrives, whoever the caller is. The model `Email` was there already and only had to say more about one field. Pydantic raises before the first line of the activity runs, so nothing has been handed over, and its message names the field. The failure reaches the caller, which can decide what to do.
