# %% [markdown] tags=["opening"]
# # Compare three approaches to calling another app
#
# **You will** do the same work by direct HTTP, by pub/sub and by a workflow, kill each side while it works, and count the mails. 50 minutes.
#
# **You will be able to**
#
# - compare direct HTTP, pub/sub and a workflow by counted mails
# - locate where a mail was lost or sent twice
# - name reasons to split a workflow over several apps
#
# **You need** lesson 00. A Redis server is started for you.
#
# Words: [glossary](../docs/glossary.md).
#
# First, three questions from lesson 00. Answer from memory; the feedback says where to look again.

# %% tags=["recall"]
from labkit import Lab, finish, observe, predict, quiz, settled, wait_until, workspace

quiz("recorded-steps")

# %% tags=["recall"]
quiz("where-is-the-history")

# %% tags=["recall"]
quiz("who-is-killed")

# %% [markdown] tags=["story"]
# ## One task, two teams
#
# Your task system assigns tasks. Another team sends the mails: it has its own service, its own releases, its own secrets. So "assign, then notify" now crosses from one app to another. There are three common approaches, and you will build them one after the other.
#
# The next two cells are the other team's service, `notifier`, and yours, `assigner`. The notifier sends a mail when it is called by HTTP. The assigner notes in its ledger what it does. Sending and assigning take a second each. Both files grow: `--part 1` saves the first part of a file, later cells add the others below it, and each cell can be run again without losing the rest.

# %% tags=["write"]
# %%workfile 01/notifier/main.py --part 1
import os
import smtplib
import time
from email.message import EmailMessage

import dapr.ext.workflow as wf
import uvicorn
from fastapi import FastAPI

app = FastAPI()  # answers HTTP
wfr = wf.WorkflowRuntime()  # connects to the sidecar


def serve():
    wfr.start()
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["APP_PORT"]), log_level="warning")


def send_mail(task):
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "tasks@example.com", "alice@example.com", task
    with smtplib.SMTP(os.environ["SMTP_HOST"], int(os.environ["SMTP_PORT"])) as server:
        server.send_message(mail)
    time.sleep(1)  # the provider takes its time to answer


@app.post("/notify/{task}")
def notify(task: str):
    send_mail(task)

# %% tags=["write"]
# %%workfile 01/assigner/main.py --part 1
import os
import sqlite3
import threading
import time

import dapr.ext.workflow as wf
import httpx
import uvicorn
from fastapi import FastAPI

app = FastAPI()
wfr = wf.WorkflowRuntime()


def serve():
    wfr.start()
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["APP_PORT"]), log_level="warning")


def note(what, task):
    with sqlite3.connect(os.environ["LEDGER"]) as db:
        db.execute("CREATE TABLE IF NOT EXISTS notes (what, task)")
        db.execute("INSERT INTO notes VALUES (?, ?)", (what, task))


def assign(task):
    note("assigned", task)
    time.sleep(1)

# %% [markdown] tags=["text"]
# ## Approach 1: direct HTTP
#
# For each task, the assigner calls the notifier, waits for the reply and notes whether the call succeeded.

# %% tags=["write"]
# %%workfile 01/assigner/main.py --part 2
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

# %% tags=["write"]
# %%workfile 01/dapr.yaml
version: 1
common:
  resourcesPath: components
apps:
  - appID: assigner
    appDirPath: assigner
    command: ["python3", "-c", "import main; main.serve()"]
  - appID: notifier
    appDirPath: notifier
    command: ["python3", "-c", "import main; main.serve()"]

# %% tags=["code"]
import httpx


def start(approach, tasks):  # hand tasks to the assigner
    where = {"url": lab.app("notifier").url}
    httpx.post(f"{lab.app('assigner').url}/{approach}", json=tasks, params=where, timeout=10)


def mails(tasks):  # how many mails arrived for each task
    return [sum(mail.subject == task for mail in lab.inbox) for task in tasks]


def noted(tasks):  # what the assigner's ledger says about each task
    rows = lab.ledger("assigner", "notes")
    return [" ".join(r["what"] for r in rows if r["task"] == task) for task in tasks]

# %% tags=["code"]
lab = Lab(workspace("01", components="pubsub") / "dapr.yaml")
lab.up()
named = {}  # the newest name of each task


def fresh(approach, *numbers):  # names for tasks; a cell that runs again gets new ones
    for n in numbers:
        named[approach, n] = named.get((approach, n), approach) + f"-{n}"
    return [named[approach, n] for n in numbers]


start("http", ["http-0"])
wait_until(lambda: noted(["http-0"]) == ["assigned notified"], 30)
print("mails:", mails(["http-0"]), " noted:", noted(["http-0"]))

# %% [markdown] tags=["predict"]
# Now you start three tasks. As soon as the second mail has been sent, you kill the notifier before it can reply. You restart it after the assigner has moved on.
#
# *How many mails arrive for the first, second and third task?*

# %% tags=["predict"]
PATTERNS = ["1, 1, 1", "1, 1, 0", "1, 2, 0", "1, 2, 1"]
predict("notifier-dies-http", PATTERNS)

# %% tags=["run"]
def kill_notifier(approach):
    tasks = fresh(approach, 1, 2, 3)
    start(approach, tasks)
    wait_until(lambda: mails(tasks)[1] >= 1, 30)
    lab.kill("notifier", "worker")
    return tasks


tasks = kill_notifier("http")
wait_until(lambda: len(noted(tasks)[2].split()) == 2, 30)
lab.up("notifier", announce=False)
print("noted:", noted(tasks))
observe("notifier-dies-http", ", ".join(map(str, mails(tasks))))

# %% [markdown] tags=["explain"]
# If your kill came in time, you see `1, 1, 0`. The third mail is lost: the notifier was down, and nobody repeats the call. The second task is the opposite case: the assigner noted a failure, yet the mail had been sent.

# %% [markdown] tags=["text"]
# ## Approach 2: pub/sub
#
# The assigner hands a message to its sidecar and moves on. The sidecar stores it in Redis; the notifier's sidecar fetches it and delivers it. `pubsub` names this component, `tasks` the topic. Add a part to each service:

# %% tags=["write"]
# %%workfile 01/assigner/main.py --part 3
import json

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
# %%workfile 01/notifier/main.py --part 2
import json

from dapr.clients import DaprClient
from dapr.clients.grpc._response import TopicEventResponse


def on_message(message):
    data = message.data()
    send_mail(data["task"] if isinstance(data, dict) else json.loads(data)["task"])
    return TopicEventResponse("success")


dapr = DaprClient()  # a global, because the subscription ends when its client is deleted
dapr.subscribe_with_handler("pubsub", "tasks", on_message)

# %% [markdown] tags=["predict"]
# You restart both services, so that they load the new code. Then you do the same again: three tasks, and a kill between the second mail and its reply.
#
# *How many mails arrive this time?*

# %% tags=["predict"]
predict("notifier-dies-pubsub", PATTERNS)

# %% tags=["run"]
lab.restart("assigner")
lab.restart("notifier")
tasks = kill_notifier("pubsub")
wait_until(lambda: len(noted(tasks)[2].split()) == 2, 30)
lab.up("notifier", announce=False)
print("noted:", noted(tasks))
observe("notifier-dies-pubsub", ", ".join(map(str, settled(lambda: mails(tasks)))))

# %% [markdown] tags=["explain"]
# Nothing is lost: Redis kept the messages until the notifier was back. If your kill came in time, the second mail came twice. The notifier had not confirmed its message, so the message was delivered again. This is called **at least once**. Lesson 03 makes the second mail harmless.
#
# ## Approach 3: a **multi-app workflow**
#
# The workflow runs in the assigner, and so does the activity `assign`. `notify` is an activity of the notifier: the argument `app_id` says so. Of the notifier, the assigner knows only the **app ID**, the name of the activity and what to send: no address and no port.

# %% tags=["write"]
# %%workfile 01/assigner/main.py --part 4
@wfr.activity(name="assign")
def assign_activity(ctx, task):
    assign(task)


@wfr.workflow(name="assign_then_notify")
def assign_then_notify(ctx, tasks):
    for task in tasks:
        yield ctx.call_activity(assign_activity, input=task)
        yield ctx.call_activity("notify", input=task, app_id="notifier")


@app.post("/workflow")
def start_workflow(tasks: list[str]):
    client = wf.DaprWorkflowClient()
    client.schedule_new_workflow(assign_then_notify, input=tasks, instance_id=tasks[0])

# %% tags=["write"]
# %%workfile 01/notifier/main.py --part 3
@wfr.activity(name="notify")
def notify_activity(ctx, task):
    send_mail(task)

# %% [markdown] tags=["predict"]
# You kill the notifier once more, at the same moment. This time it stays away until the assigner's ledger has not changed for three seconds.
#
# *How many mails arrive with the workflow?*

# %% tags=["predict"]
predict("notifier-dies-workflow", PATTERNS)

# %% tags=["run"]
lab.restart("assigner")
lab.restart("notifier")
tasks = kill_notifier("workflow")
print("noted:", settled(lambda: noted(tasks), quiet=3))
lab.up("notifier", announce=False)
print(lab.run(tasks[0]).wait(60).status)
observe("notifier-dies-workflow", ", ".join(map(str, mails(tasks))))

# %% [markdown] tags=["explain"]
# The result is the same as with pub/sub: nothing lost, one mail twice, for the same reason. But the ledger differs: the assigner did not move on. The workflow waited for the notifier.

# %% [markdown] tags=["predict"]
# ## Kill the assigner
#
# Now the other side. For each approach you start three new tasks, kill the assigner after it has noted the second one and before it notifies, and start it again. This takes about 30 s.
#
# *Which approaches send all three mails?*

# %% tags=["predict"]
predict(
    "assigner-dies",
    ["none", "http", "pubsub", "workflow", "pubsub and workflow", "http and pubsub and workflow"],
)

# %% tags=["run"]
def kill_assigner(approach):
    print(f"--- {approach}")
    tasks = fresh(approach, 4, 5, 6)
    start(approach, tasks)
    wait_until(lambda: "assigned" in noted(tasks)[1], 30)
    lab.kill("assigner", "worker")
    lab.up("assigner", announce=False)
    if approach == "workflow":
        lab.run(tasks[0]).wait(60)
    print("mails per task:", settled(lambda: mails(tasks)))
    return mails(tasks)


counts = {approach: kill_assigner(approach) for approach in ("http", "pubsub", "workflow")}
observe("assigner-dies", " and ".join(a for a in counts if 0 not in counts[a]) or "none")

# %% [markdown] tags=["explain"]
# With HTTP and pub/sub the plan was a loop in memory. It ended with the process: task 5 is assigned and nobody is notified, task 6 was never started. The broker keeps messages; nobody keeps the loop that sends them.
#
# The workflow's plan is in its history, so it went on when the assigner was back.

# %% tags=["look"]
for approach in ("http", "pubsub", "workflow"):
    all_six = [named[approach, n] for n in range(1, 7)]
    lost, twice = mails(all_six).count(0), mails(all_six).count(2)
    status = lab.run(all_six[0]).status if approach == "workflow" else ""
    knows = status or noted(all_six[:1])[0].split()[-1]
    print(f"{approach:<9} lost {lost}, sent twice {twice}; the caller knows about task 1: {knows}")
lab.run(named["workflow", 4]).show()

# %% [markdown] tags=["explain"]
# The hatched band in the picture shows where the assigner was down.
#
# ## Choose
#
# Three questions help you choose:
#
# | | What is left after a crash? | Who knows how far it is? | Must both apps run at the same time? |
# |---|---|---|---|
# | direct HTTP | nothing | the caller, and it can be wrong, as for task 2 | yes |
# | pub/sub | the messages | nobody: the caller knows "published" | no |
# | workflow | the plan and its progress | the caller | no |
#
# The workflow has a price: it waits as long as the notifier is away.

# %% tags=["quiz"]
quiz("plan-in-memory")

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
quiz("reason-to-split")

# %% [markdown] tags=["close"]
# ## What you can now do
#
# You compared three approaches by counted mails, and can say for each where a mail is lost or sent twice.
#
# [Claims](../docs/claims.md) you have seen: a direct call is lost when the other side is down; pub/sub delivers at least once; a workflow over several apps survives a kill of either side, and runs an interrupted step again.
#
# Next: lesson 02 builds the notification service properly.

# %% tags=["close"]
lab.down()
finish("01-why-multi-app-workflows")
