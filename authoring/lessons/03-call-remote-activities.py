# %% [markdown] tags=["opening"]
# # Call activities of another app
#
# **You will** follow one order from its input to its mail, across two apps, and see what a retry and a kill do to the mail. 35 minutes.
#
# **You will be able to**
#
# - call activities of another app by its app ID
# - compare what dict, dataclass and Pydantic become on the way
# - prove with an idempotency key that a retry sends one mail
#
# **You need** lesson 02. First three questions from earlier lessons, from memory.

# %% tags=["recall"]
from labkit import Lab, copy_of_services, finish, observe, predict, quiz, wait_until, workspace

quiz("01-plan-in-memory")

# %% tags=["recall"]
quiz("02-not-knowable")

# %% tags=["recall"]
quiz("02-which-clock")

# %% [markdown] tags=["story"]
# ## One order, two apps
#
# The task system validates and assigns an order; the notification team sends a mail and a push. You get copies of both services, so change what you like. `SLOW_SECONDS` makes each delivery take a second.

# %% tags=["code"]
run_file = copy_of_services(
    "03-call", "task-orchestrator-service", "notification-service", env={"SLOW_SECONDS": "1"}
)
source = (run_file.parent / "task-orchestrator-service" / "main.py").read_text()
start = source.index("def task_processing_multi_app")
print(source[start : source.index("@wfr", start)].strip())

# %% [markdown] tags=["explain"]
# Two kinds of calls. `validate_task` is a function of this app. `"send_email"` is a name, and `app_id` says whose: it is a **remote activity**. The name is a text because the function is in another program.

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
# Each arrow crosses to the other lane and back. The workflow itself never leaves its app: only the work does.
#
# ## Two logs, one history
#
# Each service writes its own log. The history joins them: it says who was asked, and in which order.

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
# *Ask the sidecar of `notification-service` for the state of `task-123`. What does it say?*

# %% tags=["predict"]
predict("state-from-target", ["COMPLETED", "RUNNING", "it does not know it"])

# %% tags=["run"]
state = lab.client("notification-service").get_workflow_state("task-123")
observe("state-from-target", state.runtime_status.name if state else "it does not know it")

# %% [markdown] tags=["explain"]
# State and history belong to the app that hosts the workflow. The other side sees activities only. These carry the instance ID of their caller, in `ctx.workflow_id`.
#
# ## An order that is wrong
#
# The title is empty. *How does the workflow end?*

# %% tags=["predict"]
predict("rejected-order", ["FAILED, no mail", "COMPLETED, no mail", "COMPLETED, one mail"])

# %% tags=["run"]
before = len(lab.inbox)
client.schedule_new_workflow(
    "task_processing_multi_app", input={**order, "title": " "}, instance_id="task-124"
)
rejected = lab.run("task-124").wait()
print(rejected.output["status"], rejected.output["reasons"])
new = len(lab.inbox) - before
observe("rejected-order", f"{rejected.status}, {'one' if new else 'no'} mail")

# %% [markdown] tags=["explain"]
# To reject an order is a decision, not a failure. The other team never heard of it.
#
# ## A mail server that is down
#
# `resilient_task_processing` tries `send_email` up to five times. You kill the mail server and start it again after the second attempt. *How many mails arrive?*

# %% tags=["predict"]
predict("mails-after-retries", ["none", "one", "one per attempt"])

# %% tags=["run"]
lab.kill("mail")
before, tried = len(lab.inbox), len(lab.ledger("notification-service", "attempts"))
client.schedule_new_workflow("resilient_task_processing", input=order, instance_id="retried")
wait_until(lambda: len(lab.ledger("notification-service", "attempts")) >= tried + 2)
lab.up(announce=False)
print(lab.run("retried").wait().status)
attempts = lab.ledger("notification-service", "attempts")[tried:]
print("several attempts:", len(attempts) > 1, "- different keys:", len({a["key"] for a in attempts}))
mails = {0: "none", 1: "one"}.get(len(lab.inbox) - before, "one per attempt")
observe("mails-after-retries", mails)

# %% [markdown] tags=["explain"]
# All attempts of one call carry the same **idempotency key**. The service notes it when the mail has left, and would not deliver it again.

# %% [markdown] tags=["predict"]
# ## A kill between the mail and the note
#
# Now you kill `notification-service` when the mail has left and before the ledger says so. *What is in the inbox in the end?*

# %% tags=["predict"]
predict("mails-after-cut", ["1 mail", "2 mails, 2 keys", "2 mails, 1 key"])

# %% tags=["run"]
before = len(lab.inbox)
client.schedule_new_workflow("task_processing_multi_app", input=order, instance_id="cut")
wait_until(lambda: len(lab.inbox) == before + 1)
lab.kill("notification-service", "worker")
lab.up(announce=False)
print(lab.run("cut").wait().status)

# %% tags=["look"]
mails = lab.inbox[before:]
keys = len({mail.idempotency_key for mail in mails})
observe("mails-after-cut", f"{len(mails)} mails, {keys} key" if len(mails) > 1 else "1 mail")

# %% [markdown] tags=["explain"]
# No service can send and note in one step. So there is a gap, and a kill in it sends twice. But both mails carry one key: the receiver can drop the second. To note first and send afterwards would turn the gap round: then a kill loses the mail.

# %% tags=["quiz"]
quiz("03-same-key")

# %% [markdown] tags=["text"]
# ## What crosses the border
#
# Arguments travel as JSON. One small program, started under two app IDs, sends the same order in three shapes.

# %% tags=["write"]
# %%workfile 03-shapes/shapes/main.py
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
# %%workfile 03-shapes/dapr.yaml
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

# %% tags=["predict"]
predict("dataclass-arrives-as", ["OrderData", "dict", "SimpleNamespace"])

# %% tags=["run"]
lab = Lab(workspace("03-shapes") / "dapr.yaml")
lab.up()
for shape in ("dict", "dataclass", "Pydantic"):
    lab.client("sender").schedule_new_workflow("send", input=shape, instance_id=shape)
    sent = next(e for e in lab.run(shape).wait().history.events if e.kind == "taskScheduled")
    print(f"{shape:<10} as JSON {sent.input:<55} arrives as {lab.run(shape).output}")
observe("dataclass-arrives-as", lab.run("dataclass").output)

# %% [markdown] tags=["explain"]
# A dataclass carries a mark of the Python SDK. Python readers get a `SimpleNamespace`, not your class; readers in other languages meet a field they do not know. A dict is plain JSON for everyone. A Pydantic model is, too, and the receiver can ask for it: annotate the argument, as `send_email` does, and it is checked on arrival.
#
# > A page says: a workflow gets the dataclass that it names. On 1.18.1: a `SimpleNamespace`.

# %% tags=["quiz"]
quiz("03-shape")

# %% [markdown] tags=["close"]
# ## What you can now do
#
# You call activities of another app by app ID and name, choose a shape that every language reads, and use the key that makes repeats harmless.
#
# [Claims](../docs/claims.md) you have seen: state belongs to the hosting app; retries share one key; a cut-off activity runs again.
#
# Change something: annotate `look_at` with `OrderModel` and run from the file on. Practise with the exercises `tell-the-manager` and `both-at-once` and the break lab `doubled-mail`. Next: child workflows in the audit service.

# %% tags=["close"]
lab.down()
finish("03-call-remote-activities")
