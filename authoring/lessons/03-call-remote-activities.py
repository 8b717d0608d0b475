# %% [markdown] tags=["opening"]
# # Call activities of another app
#
# **You will** follow one order from its input to its mail, across two apps, and see what a retry and a kill do to the mail. 35 minutes.
#
# **You will be able to**
#
# - call activities of another app by its app ID
# - compare what a dict, a dataclass and a Pydantic model become on the way
# - show with an idempotency key whether a mail is new or a repeated one
#
# **You need** lesson 02.
#
# Words: [glossary](../docs/glossary.md).
#
# First, three questions from earlier lessons, from memory.

# %% tags=["recall"]
from labkit import Lab, copy_of_services, finish, observe, predict, quiz, wait_until, workspace

quiz("plan-in-memory")

# %% tags=["recall"]
quiz("not-knowable")

# %% tags=["recall"]
quiz("which-clock")

# %% [markdown] tags=["story"]
# ## One order, two apps
#
# An order is validated and assigned; then an e-mail and a push message are sent. You get copies of two services, so change what you like. `SLOW_SECONDS` makes each delivery take a second.

# %% tags=["code"]
run_file = copy_of_services(
    "03", "task-orchestrator-service", "notification-service", env={"SLOW_SECONDS": "1"}
)
source = (run_file.parent / "task-orchestrator-service" / "main.py").read_text()
start = source.index("def task_processing_multi_app")
code = source[start : source.index("@wfr", start)].strip().splitlines()
print(*(line for line in code if '"""' not in line), sep="\n")

# %% [markdown] tags=["explain"]
# There are two kinds of calls. `validate_task` is a function of this app. `"send_email"` is a **remote activity**: a name, and an `app_id` that says which app has it. The name is a string because the function is in another program.

# %% tags=["code"]
lab = Lab(run_file)
lab.up()
client = lab.client("task-orchestrator-service")
order = {
    "task_id": "task-123",
    "title": "Review PR",
    "assignee_email": "alice@example.com",
    "assignee_user_id": "user-alice",
}

# %% [markdown] tags=["predict"]
# The workflow calls four activities, as the code above shows. *How many of them run in the orchestrator's app (here), and how many in the notification app (there)?*

# %% tags=["predict"]
predict("where-steps-run", ["4 here, 0 there", "2 here, 2 there", "0 here, 4 there"])

# %% tags=["run"]
client.schedule_new_workflow("task_processing_multi_app", input=order, instance_id="task-123")
run = lab.run("task-123").wait()
print(run.status, run.output["status"])
there = sum(step.is_remote for step in run.history.steps())
observe("where-steps-run", f"{len(run.history.steps()) - there} here, {there} there")

# %% tags=["look"]
run.show()

# %% [markdown] tags=["explain"]
# Each arrow crosses to the other lane and back. The workflow itself stays in its app; only the work of an activity moves.
#
# ## Two logs, one history
#
# Each service writes its own log. The history joins them: it lists the steps of both apps in the order in which they were called.

# %% tags=["look"]
import json


def events(app_id):
    lines = (line for line in lab.app(app_id).logs().splitlines() if line.startswith("{"))
    return [(e["at"], app_id, e["event"]) for e in map(json.loads, lines) if "worker" not in e["event"]]


for _, app_id, event in sorted(events("task-orchestrator-service") + events("notification-service")):
    print(f"{app_id:<27}{event}")
print("history:", [step.name for step in run.history.steps()])

# %% [markdown] tags=["predict"]
# ## Whose workflow is it?
#
# You ask the sidecar of `notification-service` for the state of `task-123`. *What does it answer?*

# %% tags=["predict"]
predict("state-from-target", ["COMPLETED", "RUNNING", "it does not know it"])

# %% tags=["run"]
state = lab.client("notification-service").get_workflow_state("task-123")
observe("state-from-target", state.runtime_status.name if state else "it does not know it")

# %% [markdown] tags=["explain"]
# State and history belong to the app that hosts the workflow. The other app sees its activities only. They know the instance ID of their caller: `ctx.workflow_id`.
#
# ## An order that is wrong
#
# You send an order with an empty title. *How does the workflow end, and is a mail sent?*

# %% tags=["predict"]
predict("rejected-order", ["FAILED, no mail", "COMPLETED, no mail", "COMPLETED, one mail"])

# %% tags=["run"]
before = len(lab.inbox)
client.schedule_new_workflow(
    "task_processing_multi_app", input={**order, "title": " "}, instance_id="task-124"
)
rejected = lab.run("task-124").wait()
if rejected.output:
    print(rejected.output["status"], rejected.output["reasons"])
new = len(lab.inbox) - before
observe("rejected-order", f"{rejected.status}, {'one' if new else 'no'} mail")

# %% [markdown] tags=["explain"]
# Rejecting an order is a decision, not a failure. The notification service was never called.
#
# ## A mail server that is down
#
# `resilient_task_processing` calls `send_email` up to five times. You kill the mail server, and start it again after the second attempt. *How many mails arrive?*

# %% tags=["predict"]
predict("mails-after-retries", ["none", "one", "one per attempt"])

# %% tags=["run"]
lab.kill("mail")
before, tried = len(lab.inbox), len(lab.ledger("notification-service", "attempts"))
client.schedule_new_workflow("resilient_task_processing", input=order, instance_id="retried")
wait_until(lambda: len(lab.ledger("notification-service", "attempts")) >= tried + 2, 30)
lab.up(announce=False)
print(lab.run("retried").wait().status)
attempts = lab.ledger("notification-service", "attempts")[tried:]
print("several attempts:", len(attempts) > 1, "- different keys:", len({a["key"] for a in attempts}))
new = len(lab.inbox) - before
observe("mails-after-retries", {0: "none", len(attempts): "one per attempt", 1: "one"}.get(new, new))

# %% [markdown] tags=["explain"]
# The first attempts found no mail server, so they sent and recorded nothing. A later one sent the mail, and with that the call was done. All attempts carried the same **idempotency key**: the `task_execution_id` of lesson 02. The service records it once the mail has been sent, and from then on skips every attempt that carries it.

# %% [markdown] tags=["predict"]
# ## A kill between the mail and the record
#
# Now you kill `notification-service` after the mail has been sent and before the ledger records it. *What is in the inbox in the end?*

# %% tags=["predict"]
predict("mails-after-cut", ["1 mail", "2 mails, 2 keys", "2 mails, 1 key"])

# %% tags=["run"]
before = len(lab.inbox)
client.schedule_new_workflow("task_processing_multi_app", input=order, instance_id="cut")
wait_until(lambda: len(lab.inbox) >= before + 1, 30)
lab.kill("notification-service", "worker")
lab.up(announce=False)
print(lab.run("cut").wait().status)
mails = lab.inbox[before:]
keys = len({mail.idempotency_key for mail in mails})
several = f"{len(mails)} mails, {keys} key{'s' if keys != 1 else ''}"
observe("mails-after-cut", "1 mail" if len(mails) == 1 else several)

# %% [markdown] tags=["explain"]
# A service cannot send a mail and record it in one step. A kill between the two makes it send again. But both mails carry the same key, so the receiver can drop the second. Recording first and sending afterwards is no better: then a kill loses the mail.

# %% tags=["quiz"]
quiz("same-key")

# %% [markdown] tags=["text"]
# ## What is sent to the other app
#
# Arguments are sent as JSON. One small program, started under two app IDs, sends the same order in three shapes.

# %% tags=["write"]
# %%workfile 03/two-apps/shapes/main.py
import signal
from dataclasses import dataclass

import dapr.ext.workflow as wf
from pydantic import BaseModel

wfr = wf.WorkflowRuntime()


@dataclass
class OrderData:
    task_id: str


class OrderModel(BaseModel):
    task_id: str


SHAPES = {
    "dict": {"task_id": "t-1"},
    "dataclass": OrderData("t-1"),
    "Pydantic": OrderModel(task_id="t-1"),
}


@wfr.workflow(name="send")
def send(ctx, shape):
    return (yield ctx.call_activity("look_at", input=SHAPES[shape], app_id="receiver"))


@wfr.activity(name="look_at")
def look_at(ctx, given):
    return type(given).__name__


wfr.start()
signal.pause()

# %% tags=["write"]
# %%workfile 03/two-apps/dapr.yaml
version: 1
common:
  resourcesPath: components
apps:
  - appID: sender
    appDirPath: shapes
    command: ["python3", "main.py"]
  - appID: receiver
    appDirPath: shapes
    command: ["python3", "main.py"]

# %% [markdown] tags=["predict"]
# The workflow `send` sends a dict, an `OrderData` and an `OrderModel`. The activity `look_at` returns the type of what it gets. *What does it get when a dataclass was sent?*

# %% tags=["predict"]
predict("dataclass-arrives-as", ["OrderData", "dict", "SimpleNamespace"])

# %% tags=["run"]
lab = Lab(workspace("03/two-apps") / "dapr.yaml")
lab.up()
for shape in ("dict", "dataclass", "Pydantic"):
    lab.client("sender").schedule_new_workflow("send", input=shape, instance_id=shape)
    sent = next(e for e in lab.run(shape).wait().history.events if e.kind == "taskScheduled")
    print(f"{shape:<10} as JSON {sent.input:<55} arrives as {lab.run(shape).output}")
observe("dataclass-arrives-as", lab.run("dataclass").output)

# %% [markdown] tags=["explain"]
# The JSON of a dataclass carries a mark of the Python SDK. A Python reader gets a `SimpleNamespace`, not your class; a reader in another language meets a field that it does not know. A dict is plain JSON for everybody, and so is a Pydantic model. The receiver can ask for the model by annotating its argument, as `send_email` does; then the data is checked on arrival.
#
# > The lesson [Multi-App Workflows](https://agentfactory.panaversity.org/docs/Deploying-Agent-Factories-in-the-Cloud/dapr-actors-workflows/multi-app-workflows) of the Agent Factory book annotates a workflow with a dataclass. On 1.18.1, a `SimpleNamespace` arrives.

# %% [markdown] tags=["change"]
# ## Change something
#
# In the cell that saves `shapes/main.py`, write `given: OrderModel` instead of `given`. Run from that cell on, and compare the last column with the one before. Which shapes arrive as `OrderModel` now? (Ignore the line about your prediction.)

# %% tags=["quiz"]
quiz("shape")

# %% [markdown] tags=["close"]
# ## What you can now do
#
# You call activities of another app by app ID and name, choose a shape that every language can read, and use the key that makes a repeated call harmless.
#
# [Claims](../docs/claims.md) you have seen: state belongs to the hosting app; retries share one key; an interrupted activity runs again.
#
# Next: lesson 04 calls a whole workflow in another app.

# %% tags=["close"]
lab.down()
finish("03-call-remote-activities")
