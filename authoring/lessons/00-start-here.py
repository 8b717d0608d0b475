# %% [markdown] tags=["opening"]
# # Start here: run a workflow, and kill its service
#
# **You will** write a small service, run a workflow in it on the real Dapr runtime, kill the service while it works, and see what happens. 25 minutes.
#
# **You will be able to**
#
# - run a workflow on a real Dapr runtime
# - read a swimlane
# - predict what survives when a service is killed
#
# **You need** some Python. No knowledge of Dapr, no Docker, no account, no network.
#
# Words: [glossary](../docs/glossary.md).

# %% [markdown] tags=["story"]
# ## How the lessons work
#
# Each lesson repeats one cycle: predict, run, look, read why. A wrong prediction teaches more than a right one, so guess freely. A prediction or a quiz shows buttons when you run its cell: click one, and your choice is saved; then run the next cell.
#
# Run the cells from the top with *Shift+Enter*, also those that only save a file. If a cell fails, the message says what was asked, what was found, and what fixes it. After a restart of the kernel, choose *Run > Run All Above Selected Cell* to come back to where you were.

# %% tags=["setup"]
from labkit import Lab, dapr_here, doctor, finish, observe, predict, quiz, wait_until, workspace

doctor()

# %% [markdown] tags=["explain"]
# `doctor` checked your machine. If something is wrong, it prints the command that fixes it.

# %% [markdown] tags=["story"]
# ## What you will build in this course
#
# You will build a task system of four services. One of them decides what happens next. The others do special work: they notify people, keep an audit, and estimate priorities. Each is a program of its own, and one workflow runs across all of them. In this lesson you start with one service.

# %% [markdown] tags=["text"]
# ## A service with a workflow
#
# A **workflow** is a function that defines which steps run, and in which order. Each step is an **activity**: an ordinary function that does the real work.
#
# `ctx` is how the workflow talks to Dapr. `ctx.call_activity(greet, input=name)` describes a step; `yield` hands that description to Dapr, waits until the step has ended, and gives you its result. So read `x = yield ctx.call_activity(greet, input=name)` as: run `greet` with `name`, and put its result into `x`.
#
# The next cell saves a file. Read it: `greet_team` is the workflow, `greet` is the activity. `sleep` stands for work that takes time. The last two lines connect the service to Dapr and keep it running.

# %% tags=["write"]
# %%workfile 00/hello-service/main.py
import os
import signal
import sqlite3
import time

import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()


@wfr.activity(name="greet")
def greet(ctx, name):
    with sqlite3.connect(os.environ["LEDGER"]) as db:
        db.execute("CREATE TABLE IF NOT EXISTS greetings (name)")
        db.execute("INSERT INTO greetings VALUES (?)", (name,))
    time.sleep(2)
    return f"Hello, {name}!"


@wfr.workflow(name="greet_team")
def greet_team(ctx, names):
    said = []
    for name in names:
        said.append((yield ctx.call_activity(greet, input=name)))
    return said


wfr.start()
signal.pause()

# %% [markdown] tags=["text"]
# Each time `greet` starts, it writes a row into a small database file, its ledger. You will use it to count how many times `greet` really ran.
#
# A second file lists the apps. `dapr.yaml` is Dapr's own format for running several apps.

# %% tags=["write"]
# %%workfile 00/dapr.yaml
version: 1
common:
  resourcesPath: components
apps:
  - appID: hello-service
    appDirPath: hello-service
    command: ["python3", "main.py"]

# %% [markdown] tags=["text"]
# ## What Dapr is here
#
# Your program is the *worker*: it runs your functions. Dapr puts a second program beside it, the **sidecar** `daprd`, which hands out the work. Both together are an app, known by its app ID, here `hello-service`. The *control plane* serves all sidecars: *placement* knows which app runs where, the *scheduler* wakes workflows at the right time.

# %% tags=["look"]
dapr_here()

# %% [markdown] tags=["text"]
# ## Start it
#
# `Lab` reads `dapr.yaml` and starts everything as real processes on this machine. It takes about a second.

# %% tags=["code"]
lab = Lab(workspace("00") / "dapr.yaml")
lab.up()

# %% tags=["look"]
for process in lab.processes():
    print(f"{process.name}: {process.ending()}")

# %% [markdown] tags=["explain"]
# These are the processes of the picture. *Mail* is a test mail server; lesson 01 uses it.
#
# ## Run the workflow
#
# You talk to the sidecar with the client of the Dapr SDK. `schedule_new_workflow` starts an instance of the workflow under an ID of your choice.

# %% tags=["code"]
client = lab.client("hello-service")
client.schedule_new_workflow("greet_team", input=["Ada", "Bob"], instance_id="first")
run = lab.run("first").wait()
print(run.status, run.output)

# %% tags=["look"]
run.show()

# %% [markdown] tags=["explain"]
# This is a **swimlane**. The lane is the app, the outlined bar is the workflow, and the filled bars are its activities.

# %% [markdown] tags=["predict"]
# ## Restart the service
#
# Now you stop the service and its sidecar, and start both again. *Is the result of the workflow still there?*

# %% tags=["predict"]
predict("result-after-restart", ["yes", "no"])

# %% tags=["run"]
lab.restart("hello-service")
result = lab.run("first").output
print(result)
observe("result-after-restart", "yes" if result else "no")

# %% [markdown] tags=["explain"]
# The sidecar writes every step to a state store, here an SQLite file. These records are the workflow's history. It stays when a process ends, and the swimlanes are drawn from it.

# %% [markdown] tags=["predict"]
# ## Kill the service while it works
#
# You start a workflow for three people. While the service greets Bob, you kill it without warning (`SIGKILL`). Then you start it again. *How many times is each person greeted?*

# %% tags=["predict"]
predict(
    "greetings-after-kill",
    ["Ada 1, Bob 1, Cleo 1", "Ada 1, Bob 2, Cleo 1", "Ada 2, Bob 2, Cleo 1", "the workflow fails"],
)

# %% tags=["run"]
before = len(lab.ledger("hello-service", "greetings"))
client.schedule_new_workflow("greet_team", input=["Ada", "Bob", "Cleo"], instance_id="killed")
wait_until(lambda: len(lab.ledger("hello-service", "greetings")) >= before + 2, 30)
lab.kill("hello-service", "worker")
lab.up()
run = lab.run("killed").wait()
print(run.status, run.output)
names = [row["name"] for row in lab.ledger("hello-service", "greetings")[before:]]
counts = ", ".join(f"{name} {names.count(name)}" for name in ["Ada", "Bob", "Cleo"])
observe("greetings-after-kill", counts if run.status == "COMPLETED" else "the workflow fails")

# %% tags=["look"]
run.show()

# %% [markdown] tags=["explain"]
# The hatched band in the picture shows when no worker was connected. The workflow stayed RUNNING and waited. When the worker came back, the sidecar gave it the recorded history. The end of Ada's step was recorded, so it did not run again. The end of Bob's step was not, so it ran a second time. The rule: a step whose end is recorded never runs again; an interrupted step does.

# %% tags=["quiz"]
quiz("recorded-steps")

# %% [markdown] tags=["change"]
# ## Your turn
#
# Run the next two cells. Then change the names, and the greeting at which the service is killed: `before + 1` is the first. Predict who is greeted twice, and run them again. In the swimlane, where does the hatched band start?

# %% tags=["change"]
before = len(lab.ledger("hello-service", "greetings"))
client.schedule_new_workflow("greet_team", input=["Dora", "Emil"], instance_id="mine")
wait_until(lambda: len(lab.ledger("hello-service", "greetings")) >= before + 1, 30)
lab.kill("hello-service", "worker")
lab.up()
print(lab.run("mine").wait().output)

# %% tags=["look"]
print([row["name"] for row in lab.ledger("hello-service", "greetings")[before:]])
lab.run("mine").show()

# %% tags=["quiz"]
quiz("where-is-the-history")

# %% [markdown] tags=["close"]
# ## What you can now do
#
# You ran a workflow on the real runtime, read its swimlane, and know what survives a kill: recorded steps are kept, an interrupted step runs again.
#
# [Claims](../docs/claims.md) you have seen: a workflow resumes after its service was killed; an activity runs at least once.
#
# Next: lesson 01 asks why a workflow should run across several apps, and counts mails to answer it.

# %% tags=["close"]
lab.down()
finish("00-start-here")
