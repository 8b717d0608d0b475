# %% [markdown] tags=["opening"]
# # Exercise 02.2: refuse what is not an e-mail address
#
# Change a service so that it checks what callers send. 15 minutes.
#
# Any app may call `send_email`. One of them sent a recipient without an @, and the mail went out to nowhere.
#
# Out of scope: retries, the wording of the error

# %% tags=["setup"]
from labkit import Lab, begin, check, diagnose, hint, reset

run_file = begin("refuse-a-bad-mail")

# %% [markdown] tags=["text"]
# ## What is wanted
#
# - a recipient without an @ makes the call fail, and the message names the field `recipient`
# - nothing is delivered for it
# - a right mail is delivered as before
#
# Run the scenario now, to see where you stand. Run it again after each change.

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


lab = Lab(run_file)
scenario(lab)

# %% tags=["look"]
[row["recipient"] for row in lab.ledger("notification-service", "deliveries")]

# %% [markdown] tags=["text"]
# ## Your plan
#
# One sentence: what do you change, and where will you see that it works?

# %% tags=["solution"]
# <solution goal="your sentence between the quotes" stub='plan = ""'>
plan = "The model Email gets a pattern for recipient; then the bad call fails with a message, and the ledger has no row for it."
# </solution>
diagnose("refuse-a-bad-mail", plan)

# %% [markdown] tags=["text"]
# ## Your change
#
# The files are below `.lab/work/refuse-a-bad-mail/`; you need `notification-service/main.py`. A hint comes in three levels: `hint("refuse-a-bad-mail")`.
#
# Open: [dapr.yaml](../.lab/work/refuse-a-bad-mail/dapr.yaml), [components/statestore.yaml](../.lab/work/refuse-a-bad-mail/components/statestore.yaml), [task-orchestrator-service/main.py](../.lab/work/refuse-a-bad-mail/task-orchestrator-service/main.py), [notification-service/main.py](../.lab/work/refuse-a-bad-mail/notification-service/main.py).

# %% tags=["solution"]
# <solution goal="edit the files in the file browser, then run this cell">
from labkit import apply

apply("refuse-a-bad-mail")
# </solution>
lab = Lab(run_file)
scenario(lab)

# %% tags=["check"]
check("refuse-a-bad-mail")

# %% [markdown] tags=["close"]
# ## How an expert went
#
# <details><summary>Open it when your check has passed</summary>
#
# The border of a service is where its input is checked, whoever calls. The model was there and only had to say more about one field. Pydantic raises before the first line of the activity runs, so nothing was handed over yet, and its message names the field. The failure travels to the caller, who can decide what to do.
#
# </details>
#
# Compare it with your sentence. To start over: `reset("refuse-a-bad-mail")`; your files are kept.

# %% tags=["close"]
lab.down()
