# %% [markdown] tags=["story"]
# The notification service was made simpler. Then it was killed, and a customer got two mails. Each call of `send_email` must send its own mail, even if another call sent the same text to the same person, and a kill like the two below must neither double a mail nor lose one.

# %% [markdown] tags=["scenario"]
# There are two orders and two kills. The first kill comes when the mail has left. The second comes while the mail server hangs, so the mail has not left. In this copy the row in `attempts` is written after the mail has left, and the pause of the provider comes last: keep that order.

# %% tags=["scenario"]
order = {
    "task_id": "task-123",
    "assignee_email": "alice@example.com",
    "assignee_user_id": "user-alice",
}


def kill_when(lab, name, moment):
    client = lab.client("task-orchestrator-service")
    given = {**order, "title": f"{name} order"}
    client.schedule_new_workflow("task_processing_multi_app", input=given, instance_id=name)
    wait_until(lambda: moment(lab), within=20)
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
# The service was killed after the mail had left, so the activity ran again, and the service keeps no note of what it has sent.

# %% [markdown] tags=["expert"]
# Symptom: one order, two mails, both with the same idempotency key. The history shows one call. So one call ran twice: the first run was cut off before its end was recorded. With any runtime that can happen. So the service has to recognise the second run by a durable note under the key, written right after the mail has left. A note in memory is lost with the process, and a key that is new in each run recognises nothing.
#
# A note *before* the mail leaves loses the mail of the second order. A note after it leaves a small gap in which a kill still doubles the mail. Two mails are the smaller harm; only a receiver that knows the key could close the gap.
