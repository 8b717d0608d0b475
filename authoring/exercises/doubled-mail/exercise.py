# %% [markdown] tags=["story"]
# The notification service was made simpler. Then it was killed, and a customer got two mails.

# %% [markdown] tags=["scenario"]
# Two orders, and two kills. The first comes when the mail has left. The second comes while the mail server hangs, so that the mail has not left.

# %% tags=["scenario"]
order = {
    "task_id": "task-123",
    "assignee_email": "alice@example.com",
    "assignee_user_id": "user-alice",
}


def kill_when(lab, name, moment):
    client = lab.client("task-orchestrator-service")
    told = {**order, "title": f"{name} order"}
    client.schedule_new_workflow("task_processing_multi_app", input=told, instance_id=name)
    wait_until(lambda: moment(lab))
    lab.kill("notification-service", "worker")

# %% tags=["scenario"]
def mail_has_left(lab):
    return lab.ledger("notification-service", "attempts")


def mail_server_hangs(lab):
    return "notification-service" in lab.callers("mail")


def scenario(lab):
    lab.up(announce=False)
    kill_when(lab, "first", mail_has_left)
    lab.up(announce=False)
    print("first:", lab.run("first").settle(20), "mails:", len(lab.inbox))
    with lab.frozen("mail"):
        kill_when(lab, "second", mail_server_hangs)
    lab.up(announce=False)
    print("second:", lab.run("second").settle(20), "mails:", len(lab.inbox))

# %% tags=["look"]
[(mail.to, mail.subject) for mail in lab.inbox]

# %% tags=["look"]
len({mail.idempotency_key for mail in lab.inbox})

# %% tags=["look"]
[row["channel"] for row in lab.ledger("notification-service", "attempts")]

# %% [markdown] tags=["plan"]
# The activity was cut off after the mail and ran again, and the service keeps no note of what it sent.

# %% [markdown] tags=["expert"]
# Symptom: one order, two mails, both with the same idempotency key. The history shows one call. So one call ran twice: the first run was cut off before its end was recorded. That must happen, with any runtime. So the service has to recognise the second run: a durable note, under the key, right after the mail left. A note in memory dies with the process; a new key in each run recognises nothing.
#
# A note *before* the mail leaves loses the mail of the second order. A note after it leaves a small gap, in which a kill still doubles. Two mails are the smaller harm; only the receiver could close that gap, if it knew the key.
