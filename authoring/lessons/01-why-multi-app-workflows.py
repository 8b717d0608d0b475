# %% [markdown] tags=["opening"]
# # Compare three ways to cross from one app to another
#
# **You will** do the same work by direct HTTP, by pub/sub and by a workflow, kill each side in the middle, and count the mails. 40 minutes.
#
# **You will be able to**
#
# - compare direct HTTP, pub/sub and a workflow by counted mails
# - locate where a mail was lost or doubled
# - name reasons to split a workflow over several apps
#
# **You need** lesson 00. A Redis server is started for you.

# %% [markdown] tags=["recall"]
# ## Three questions from lesson 00
#
# Answer from memory. The feedback tells you where to look again.

# %% tags=["recall"]
from labkit import Lab, finish, observe, predict, quiz, settled, wait_until, workspace

quiz("00-recorded-steps")

# %% tags=["recall"]
quiz("00-where-is-the-history")

# %% tags=["recall"]
quiz("00-who-is-killed")

# %% [markdown] tags=["story"]
# ## One task, two teams
#
# Your task system assigns tasks. Another team sends the mails: it has its own service, its own releases, its own secrets. So "assign, then notify" now crosses from one app to another. There are three usual ways to do that.
#
# You will see two files grow: `assigner` calls, `notifier` sends the mail. Sending takes a second, as real providers do.

# %% tags=["write"]
# %%workfile 01-why/notifier/main.py
import os
import smtplib
import time
from email.message import EmailMessage

import uvicorn
from fastapi import FastAPI

app = FastAPI()


def send_mail(task):
    mail = EmailMessage()
    mail["From"], mail["To"] = "tasks@example.com", "alice@example.com"
    mail["Subject"] = task
    with smtplib.SMTP(os.environ["SMTP_HOST"], int(os.environ["SMTP_PORT"])) as server:
        server.send_message(mail)
    time.sleep(1)  # the provider takes its time to answer


# Way 1: direct HTTP


@app.post("/notify/{task}")
def notify(task: str):
    send_mail(task)


# %% [markdown] tags=["text"]
# ### Way 1: direct HTTP
#
# The assigner notes each task in its ledger, then calls the notifier and waits for the answer. A failed call is noted too.

# %% tags=["write"]
# %%workfile 01-why/assigner/main.py
import json
import os
import sqlite3
import threading
import time

import httpx
import uvicorn
from fastapi import FastAPI

app = FastAPI()


def note(what, task):
    with sqlite3.connect(os.environ["LEDGER"]) as db:
        db.execute("CREATE TABLE IF NOT EXISTS notes (what, task)")
        db.execute("INSERT INTO notes VALUES (?, ?)", (what, task))


def assign(task):
    note("assigned", task)
    time.sleep(1)


# Way 1: direct HTTP


def by_http(tasks, url):
    for task in tasks:
        assign(task)
        try:
            httpx.post(f"{url}/notify/{task}", timeout=10).raise_for_status()
            note("notified", task)
        except httpx.HTTPError:
            note("failed", task)


@app.post("/http")
def start_http(tasks: list[str], url: str):
    threading.Thread(target=by_http, args=(tasks, url)).start()


# %% [markdown] tags=["text"]
# ### Way 2: pub/sub
#
# The assigner hands a message to its sidecar and goes on. The sidecar puts it into Redis. The notifier's sidecar takes it out and gives it to the notifier, when there is one.

# %% tags=["write"]
# %%workfile 01-why/assigner/main.py --part 2

# Way 2: pub/sub

from dapr.clients import DaprClient


def by_pubsub(tasks):
    with DaprClient() as dapr:
        for task in tasks:
            assign(task)
            dapr.publish_event("pubsub", "tasks", json.dumps({"task": task}))
            note("published", task)


@app.post("/pubsub")
def start_pubsub(tasks: list[str]):
    threading.Thread(target=by_pubsub, args=(tasks,)).start()


# %% tags=["write"]
# %%workfile 01-why/notifier/main.py --part 2

# Way 2: pub/sub

import json

from dapr.clients import DaprClient
from dapr.clients.grpc._response import TopicEventResponse


def on_message(message):
    data = message.data()
    send_mail(data["task"] if isinstance(data, dict) else json.loads(data)["task"])
    return TopicEventResponse("success")


dapr = DaprClient()  # the subscription ends when nobody holds its client
dapr.subscribe_with_handler("pubsub", "tasks", on_message)


# %% [markdown] tags=["text"]
# ### Way 3: a **multi-app workflow**
#
# The workflow lives in the assigner. `assign` runs there too. `notify` is an activity of the notifier: the argument `app_id` says so. The notifier's **app ID** is all that the assigner knows of it.

# %% tags=["write"]
# %%workfile 01-why/assigner/main.py --part 3

# Way 3: a workflow

import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()


@wfr.activity(name="assign")
def assign_activity(ctx, task):
    assign(task)


@wfr.workflow(name="assign_then_notify")
def assign_then_notify(ctx, tasks):
    for task in tasks:
        yield ctx.call_activity(assign_activity, input=task)
        yield ctx.call_activity("notify", input=task, app_id="notifier")
    return tasks


wfr.start()
uvicorn.run(app, host="127.0.0.1", port=int(os.environ["APP_PORT"]), log_level="warning")

# %% tags=["write"]
# %%workfile 01-why/notifier/main.py --part 3

# Way 3: an activity that other apps can call

import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()


@wfr.activity(name="notify")
def notify_activity(ctx, task):
    send_mail(task)


wfr.start()
uvicorn.run(app, host="127.0.0.1", port=int(os.environ["APP_PORT"]), log_level="warning")

# %% tags=["write"]
# %%workfile 01-why/dapr.yaml
version: 1
common:
  resourcesPath: components
apps:
  - appID: assigner
    appDirPath: assigner
    command: ["python3", "main.py"]
  - appID: notifier
    appDirPath: notifier
    command: ["python3", "main.py"]

# %% tags=["code"]
lab = Lab(workspace("01-why", components="pubsub") / "dapr.yaml")
lab.up()

# %% [markdown] tags=["text"]
# ## Tools for counting
#
# `start` begins three tasks in one of the three ways. `mails` counts what arrived for each. `noted` reads the ledger of the assigner.

# %% tags=["code"]
import httpx


def start(way, tasks):
    if way == "workflow":
        lab.client("assigner").schedule_new_workflow(
            "assign_then_notify", input=tasks, instance_id=tasks[0]
        )
    else:
        where = {"url": lab.app("notifier").url}
        httpx.post(f"{lab.app('assigner').url}/{way}", json=tasks, params=where)


# %% tags=["code"]
def mails(tasks):
    return [sum(mail.subject == task for mail in lab.inbox) for task in tasks]


def noted(tasks):
    rows = lab.ledger("assigner", "notes")
    return [" ".join(r["what"] for r in rows if r["task"] == task) for task in tasks]


def end_of(way, tasks):
    if way == "workflow":
        lab.run(tasks[0]).wait(60)
    return settled(lambda: (mails(tasks), noted(tasks)))[0]


# %% [markdown] tags=["predict"]
# ## Round 1: kill the notifier
#
# For each way, three tasks begin. When the mail of the second one has left, you kill the notifier, before it can answer. It comes back when the assigner has gone on.
#
# *Which ways lose a mail?*

# %% tags=["predict"]
predict("lost-when-notifier-dies", ["none", "http", "pubsub", "http and pubsub", "workflow"])

# %% tags=["run"]
def kill_notifier(way):
    tasks = [f"{way}-{n}" for n in (1, 2, 3)]
    start(way, tasks)
    wait_until(lambda: mails(tasks)[1] == 1)
    lab.kill("notifier", "worker")
    if way != "workflow":  # it waits; the others go on without waiting
        wait_until(lambda: len(noted(tasks)[2].split()) == 2)
    lab.up("notifier", announce=False)
    return end_of(way, tasks)


round_1 = {way: kill_notifier(way) for way in ("http", "pubsub", "workflow")}

# %% tags=["look"]
for way, counts in round_1.items():
    print(f"{way:<9} mails per task: {counts}")
observe("lost-when-notifier-dies", " and ".join(w for w, c in round_1.items() if 0 in c) or "none")

# %% [markdown] tags=["explain"]
# HTTP lost the third mail: nobody listened, and nobody tries again. For the second task the caller noted a failure, yet the mail had left.
#
# Pub/sub and the workflow lost nothing. Both sent the second mail twice: the work was cut off before its end was recorded, so it ran again. This is called **at least once**. Lesson 03 makes the second mail harmless.

# %% [markdown] tags=["predict"]
# ## Round 2: kill the assigner
#
# Now the other side. You kill the assigner when it has noted the second task and has not yet notified. Then it comes back.
#
# *Which ways finish all three tasks?*

# %% tags=["predict"]
predict("finish-when-assigner-dies", ["all", "http", "pubsub", "pubsub and workflow", "workflow"])

# %% tags=["run"]
def kill_assigner(way):
    tasks = [f"{way}-{n}" for n in (4, 5, 6)]
    start(way, tasks)
    wait_until(lambda: "assigned" in noted(tasks)[1])
    lab.kill("assigner", "worker")
    lab.up("assigner", announce=False)
    return end_of(way, tasks)


round_2 = {way: kill_assigner(way) for way in ("http", "pubsub", "workflow")}

# %% tags=["look"]
for way, counts in round_2.items():
    print(f"{way:<9} mails per task: {counts}")
observe(
    "finish-when-assigner-dies", " and ".join(w for w, c in round_2.items() if 0 not in c) or "none"
)

# %% tags=["look"]
lab.run("workflow-4").show()

# %% [markdown] tags=["explain"]
# With HTTP and pub/sub the plan lived in a loop in memory. It died with the process: task 5 is assigned and nobody will be told, task 6 does not exist. A broker keeps messages, not plans.
#
# The workflow's plan is in its history. The picture shows it: the band is where the assigner was down, and the run goes on after it.

# %% [markdown] tags=["text"]
# ## The comparison, as measured
#
# Three questions decide between the ways. *Durability*: what is left after a crash? *Control*: who knows how far it is? *Independence*: must both sides be there at the same time?

# %% tags=["look"]
def verdict(way):
    lost = (round_1[way] + round_2[way]).count(0)
    doubled = sum(n > 1 for n in round_1[way] + round_2[way])
    knows = noted([f"{way}-1"])[0].split()[-1] if way != "workflow" else lab.run("workflow-1").status
    return f"{way:<9} lost {lost}  doubled {doubled}  the caller's last word on task 1: {knows}"


for way in ("http", "pubsub", "workflow"):
    print(verdict(way))

# %% [markdown] tags=["explain"]
# *HTTP*: no durability; the caller has control; both must be there. *Pub/sub*: messages are durable, the plan is not; the caller's last word is "published", it never learns of the mail; the sides are independent. *Workflow*: plan and messages are durable, the caller has control, and the other side may come later.
#
# It is not free: the workflow waits as long as the notifier is away.

# %% tags=["quiz"]
quiz("01-plan-in-memory")

# %% [markdown] tags=["explain"]
# ## Reasons to split
#
# | An app of its own, because it needs | In this course |
# |---|---|
# | special machines (GPU, memory) | `ml-inference-service` |
# | credentials or data that others must not see; another trust zone or network | `notification-service` holds the mail account |
# | a region, because the data must stay there | `audit-service` |
# | another team with its own releases | all four |
# | another language | calls are JSON between sidecars |
#
# Without such a reason, one app is the better choice.

# %% tags=["quiz"]
quiz("01-reason-to-split")

# %% [markdown] tags=["close"]
# ## What you can now do
#
# You compared three ways by counted mails, and can say for each where a mail is lost or doubled.
#
# [Claims](../docs/claims.md) you have seen: direct calls lose what the other side misses; pub/sub delivers at least once; a workflow over several apps survives the death of either side, and runs a step that was cut off again.
#
# Practise with the exercises `move-the-mail` and `no-mail-lost`. Next: lesson 02 builds the notification service properly.

# %% tags=["close"]
lab.down()
finish("01-why-multi-app-workflows")
