# %% [markdown] tags=["opening"]
# # Start here: run a workflow, kill it, watch it finish
#
# **You will** write a small service, run a workflow in it on the real Dapr runtime, kill the service in the middle, and see what happens. 25 minutes.
#
# **You will be able to**
#
# - run a workflow on a real Dapr runtime
# - read a swimlane
# - predict what survives when a service is killed
#
# **You need** some Python. No Docker, no account, no network.

# %% [markdown] tags=["story"]
# ## How the lessons work
#
# Each lesson goes round in one circle: predict, run, look, read why. A wrong prediction teaches more than a right one, so guess freely.
#
# Run a cell with *Shift+Enter*.

# %% tags=["setup"]
from labkit import Lab, doctor, finish, observe, predict, quiz, wait_until, workspace

doctor()

# %% [markdown] tags=["explain"]
# The doctor looked at your machine. Where something is wrong, it prints the command that fixes it.
#
# ## What you will build in this course
#
# A task system out of four services. One of them decides what happens; the others do special work: they notify, audit, and estimate priorities. Each is a program of its own, and one workflow runs across all of them.
#
# Today you begin with one service.

# %% [markdown] tags=["text"]
# ## A service with a workflow
#
# A **workflow** is a function that says which steps come in which order. Each step is an **activity**: an ordinary function that does the real work.
#
# The next cell saves a file. Read it: `greet_team` is the workflow, `greet` is the activity. The `sleep` stands for work that takes time. The last two lines connect the service to Dapr and keep it running.

# %% tags=["write"]
# %%workfile 00-start-here/hello-service/main.py
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
# Each time `greet` begins, it writes a line into a small database file, its ledger. So we can count later how often it really ran.
#
# A second file tells Dapr which apps there are. It is Dapr's own format for running several apps, `dapr.yaml`.

# %% tags=["write"]
# %%workfile 00-start-here/dapr.yaml
version: 1
common:
  resourcesPath: components
apps:
  - appID: hello-service
    appDirPath: hello-service
    command: ["python3", "main.py"]

# %% [markdown] tags=["text"]
# ## Start it
#
# `Lab` reads that file and starts everything as real processes on this machine. It takes about a second.

# %% tags=["code"]
lab = Lab(workspace("00-start-here") / "dapr.yaml")
lab.up()

# %% tags=["look"]
for process in lab.processes():
    print(f"{process.name}: {process.ending()}")

# %% [markdown] tags=["explain"]
# Your service is the *worker*. Beside it runs its **sidecar**, `daprd`: it keeps the state of workflows and hands out work. *Placement* knows which app runs where. The *scheduler* keeps reminders. *Mail* waits for a later lesson.
#
# Each app has a name, its app ID: here `hello-service`.

# %% [markdown] tags=["text"]
# ## Run the workflow
#
# You talk to the sidecar with the client of the Dapr SDK. `schedule_new_workflow` starts an instance; you give it an ID of your choice.

# %% tags=["code"]
client = lab.client("hello-service")
client.schedule_new_workflow("greet_team", input=["Ada", "Bob"], instance_id="first")
run = lab.run("first").wait()
print(run.status, run.output)

# %% tags=["look"]
run.show()

# %% [markdown] tags=["explain"]
# This is a **swimlane**. The lane is the app, the outlined bar the workflow, the filled bars its activities. It was drawn from the history that the sidecar keeps.
#
# ## Restart the service
#
# Now you stop the service and its sidecar and start both again.

# %% [markdown] tags=["predict"]
# **Will the new process still know the result of the workflow?**

# %% tags=["predict"]
predict("result-after-restart", ["yes, it is kept", "no, it was in memory"])

# %% tags=["run"]
lab.restart("hello-service")
print(lab.run("first").status)

# %% tags=["look"]
kept = lab.run("first").output == ["Hello, Ada!", "Hello, Bob!"]
observe("result-after-restart", "yes, it is kept" if kept else "no, it was in memory")

# %% [markdown] tags=["explain"]
# The sidecar wrote every step to a state store, here an SQLite file. Processes come and go; the history stays.
#
# ## Kill it in the middle
#
# You start a workflow for three people. While the service greets Bob, you kill it without warning (`SIGKILL`). Then you start it again.

# %% [markdown] tags=["predict"]
# **How often will each person be greeted in the end?**

# %% tags=["predict"]
predict(
    "greetings-after-kill",
    ["Ada 1, Bob 1, Cleo 1", "Ada 1, Bob 2, Cleo 1", "Ada 2, Bob 2, Cleo 1", "the workflow fails"],
)

# %% tags=["run"]
before = len(lab.ledger("hello-service", "greetings"))
client.schedule_new_workflow("greet_team", input=["Ada", "Bob", "Cleo"], instance_id="killed")
wait_until(lambda: len(lab.ledger("hello-service", "greetings")) == before + 2)
lab.kill("hello-service", "worker")
lab.up()
run = lab.run("killed").wait()
print(run.status, run.output)

# %% tags=["look"]
names = [row["name"] for row in lab.ledger("hello-service", "greetings")[before:]]
counts = ", ".join(f"{name} {names.count(name)}" for name in ["Ada", "Bob", "Cleo"])
observe("greetings-after-kill", counts)

# %% tags=["look"]
run.show()

# %% [markdown] tags=["explain"]
# When the worker came back, the sidecar gave it the recorded history. Ada's step had a recorded end, so it was not repeated. Bob's had none, so it ran a second time. The rule: a recorded step never runs twice; a step that was cut off does.

# %% tags=["quiz"]
quiz("00-recorded-steps")

# %% [markdown] tags=["change"]
# ## Your turn
#
# Change the two lines below: other names, another instance ID. Kill the service at another moment if you like. Then read the swimlane: where does the hatched band begin?

# %% tags=["change"]
client.schedule_new_workflow("greet_team", input=["Dora"], instance_id="mine")
print(lab.run("mine").wait().output)

# %% tags=["quiz"]
quiz("00-where-is-the-history")

# %% [markdown] tags=["close"]
# ## What you can now do
#
# You ran a workflow on the real runtime, read its swimlane, and know what survives a kill: recorded steps are kept, a step that was cut off runs again.
#
# [Claims](../docs/claims.md) you have seen: a workflow resumes after its service was killed; an activity runs at least once.
#
# Next: lesson 01 asks why one would spread a workflow over several apps, and counts mails to answer it.

# %% tags=["close"]
lab.down()
finish("00-start-here")
