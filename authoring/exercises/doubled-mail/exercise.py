# %% [markdown] tags=["opening"]
# # Break lab 03.3: make a repeated mail harmless
#
# Repair an activity so that a second run sends no second mail. 18 minutes.
#
# The notification service was made simpler. Then it was killed, and a customer got two mails.
#
# Out of scope: retry policies, kills in other places

# %% tags=["setup"]
from labkit import Lab, broken, check, diagnose, hint, reset, wait_until

run_file = broken("doubled-mail")

# %% [markdown] tags=["text"]
# ## The scenario
#
# Two orders, and two kills. The first comes when the mail has left. The second comes while the mail server hangs, so that the mail has not left.
#
# Run it now. Run it again after each repair.

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


lab = Lab(run_file)
scenario(lab)

# %% [markdown] tags=["text"]
# ## The symptom, and who knows more
#
# Write down what you see. Then ask: who knows about it? The history, the metadata, the placement table, a log?

# %% tags=["look"]
[(mail.to, mail.subject) for mail in lab.inbox]

# %% tags=["look"]
len({mail.idempotency_key for mail in lab.inbox})

# %% tags=["look"]
[row["channel"] for row in lab.ledger("notification-service", "attempts")]

# %% [markdown] tags=["text"]
# ## Your diagnosis
#
# One sentence: which part does what wrong, and how do you know?

# %% tags=["solution"]
# <solution goal="your sentence between the quotes" stub='cause = ""'>
cause = "The activity was cut off after the mail and ran again, and the service keeps no note of what it sent."
# </solution>
diagnose("doubled-mail", cause)

# %% [markdown] tags=["text"]
# ## The repair
#
# Edit the files below `.lab/work/doubled-mail/`: the smallest change that fixes the cause. Then run the scenario again. A hint comes in three levels: `hint("doubled-mail")`.
#
# Open: [dapr.yaml](../.lab/work/doubled-mail/dapr.yaml), [components/statestore.yaml](../.lab/work/doubled-mail/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/doubled-mail/task-orchestrator-service/main.py), [notification-service/main.py](../.lab/work/doubled-mail/notification-service/main.py).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("doubled-mail")
# </solution>
lab = Lab(run_file)
scenario(lab)

# %% tags=["check"]
check("doubled-mail")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# Symptom: one order, two mails, both with the same idempotency key. The history shows one call. So one call ran twice: the first run was cut off before its end was recorded. That must happen, with any runtime. So the service has to recognise the second run: a durable note, under the key, right after the mail left. A note in memory dies with the process; a new key in each run recognises nothing.
#
# A note *before* the mail leaves loses the mail of the second order. A note after it leaves a small gap, in which a kill still doubles. Two mails are the smaller harm; only the receiver could close that gap, if it knew the key.
#
# </details>
#
# Compare it with your sentence. All exercises, lesson by lesson: [exercises/README.md](../exercises/README.md).

# %% tags=["close"]
lab.down()
