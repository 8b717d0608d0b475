# %% [markdown] tags=["opening"]
# # Find out why a call does not arrive
#
# **You will** misspell two names, take a worker away, and move an app to another namespace. Each time you predict the symptom, then look for the evidence. 35 minutes.
#
# **You will be able to**
#
# - predict which mistakes make a workflow fail, and which make it wait
# - diagnose a wrong app ID, a missing worker, a wrong namespace and a missing registration
# - compare what history, metadata, log and metrics say about each
#
# **You need** lesson 04. Three questions from earlier lessons come first: answer from memory.
#
# Words: [glossary](../docs/glossary.md).

# %% tags=["recall"]
import textwrap

from labkit import Lab, finish, observe, predict, quiz, wait_until, workspace

quiz("too-large")

# %% tags=["recall"]
quiz("parent-killed")

# %% tags=["recall"]
quiz("not-knowable")

# %% [markdown] tags=["story"]
# ## It worked on my machine
#
# `caller` calls an activity and a child workflow of `target`. Its workflows take the name and the app ID of the call as input, so that you can get one of them wrong. Each does a local step first.

# %% tags=["write"]
# %%workfile 07-reach/caller/main.py
import signal

import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()


@wfr.activity(name="prepare")
def prepare(ctx, call):
    return call["name"]


@wfr.workflow(name="activity")
def activity(ctx, call):
    yield ctx.call_activity(prepare, input=call)
    return (yield ctx.call_activity(call["name"], app_id=call["app"]))


@wfr.workflow(name="child")
def child(ctx, call):
    yield ctx.call_activity(prepare, input=call)
    return (yield ctx.call_child_workflow(call["name"], app_id=call["app"]))


wfr.start()
signal.pause()

# %% tags=["write"]
# %%workfile 07-reach/target/main.py
import signal

import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()


@wfr.activity(name="work")
def work(ctx):
    return "done"


@wfr.workflow(name="work_in_a_child")
def work_in_a_child(ctx, given):
    return (yield ctx.call_activity(work))


wfr.start()
signal.pause()

# %% tags=["write"]
# %%workfile 07-reach/dapr.yaml
version: 1
common:
  resourcesPath: components
apps:
  - appID: caller
    appDirPath: caller
    command: ["python3", "main.py"]
  - appID: target
    appDirPath: target
    command: ["python3", "main.py"]

# %% tags=["code"]
from itertools import count

numbers = count(1)


def start(kind, name, app="target"):
    """Start a workflow that makes one call."""
    instance_id = f"{kind}-{next(numbers)}"
    given = {"name": name, "app": app}
    lab.client("caller").schedule_new_workflow(kind, input=given, instance_id=instance_id)
    return lab.run(instance_id)


# %% tags=["code"]
def settled(*runs):
    """The status of each run, when it has ended or stands still."""
    return [run.settle(6) for run in runs]


lab = Lab(workspace("07-reach") / "dapr.yaml")
lab.up()
print("both calls:", *settled(start("activity", "work"), start("child", "work_in_a_child")))

# %% [markdown] tags=["predict"]
# ## Two typing mistakes
#
# The first workflow calls the activity `wrok` in the app `target`. The second calls the activity `work` in the app `tarket`. *How does each of them end?*

# %% tags=["predict"]
predict(
    "typing-mistakes",
    ["both FAILED", "activity name FAILED, app ID RUNNING", "both RUNNING"],
)

# %% tags=["run"]
wrong_name = start("activity", "wrok")
wrong_app = start("activity", "work", app="tarket")
name, app_id = settled(wrong_name, wrong_app)
seen = f"activity name {name}, app ID {app_id}"
observe("typing-mistakes", f"both {name}" if name == app_id else seen)

# %% tags=["look"]
print("activity name:", wrong_name.failure.message.partition(": ")[2])
print("  steps in the history:", [s.name for s in wrong_name.history.own_steps()])
print("app ID:", wrong_app.failure)
print("  steps in the history:", [s.name for s in wrong_app.history.own_steps()])

# %% [markdown] tags=["explain"]
# The first call reached `target`. Its worker found no **registration** of that name, and said so: an ordinary failure, with a message. The second call was never handed over, so there is no failure and nothing in the history. The runtime goes on trying, because an app with this ID may start later. The log of the caller's sidecar says what it is looking for, and **placement**, the part of the control plane that knows which app runs where, says which apps can be called:

# %% tags=["look"]
def report():
    """What the caller's sidecar reports about an address, without times and IDs."""
    lines = lab.app("caller").logs("sidecar").splitlines()
    about = [line for line in lines if "later: 'failed to dispatch activity" in line]
    report = about[-1].partition("later: '")[2].partition("/")[0] if about else ""
    return textwrap.fill(f"{report}/…'", 90) if report else ""


print(wait_until(report, within=30, what="the log line of the caller's sidecar"))
tables = lab.placement_state()["tables"].values()
print("placement knows:", *sorted(host["id"] for table in tables for host in table["hosts"]))

# %% [markdown] tags=["predict"]
# ## A sidecar without a worker
#
# Now the names are right. You stop the service of `target`; its sidecar runs on and is healthy. *What happens to a call of `work`?*

# %% tags=["predict"]
ENDS = {"FAILED": "it fails", "RUNNING": "it waits for a worker", "COMPLETED": "the sidecar answers"}
predict("no-worker", list(ENDS.values()))

# %% tags=["run"]
lab.stop("target", "worker")
waiting = start("activity", "work")
(seen,) = settled(waiting)
print("sidecar healthy:", lab.app("target").is_healthy(), "- workflow:", seen)
observe("no-worker", ENDS.get(seen, seen))

# %% tags=["look"]
def offered(app_id):
    """What the metadata of a sidecar says about its workers and its actor types."""
    told = lab.app(app_id).metadata()
    actors = told["actorRuntime"].get("activeActors", [])
    workers = told.get("workflows", {}).get("connectedWorkers", 0)
    return f"workers: {workers}, actor types: {sorted(a['type'] for a in actors)[:1]}"


print("without:", offered("target"))
lab.up("target", announce=False)
print("with:   ", offered("target"), "- workflow:", waiting.wait().status)

# %% [markdown] tags=["explain"]
# A sidecar offers its actor types only while a worker is connected. Without one the app is as absent as `tarket`: the call waits. When the worker is back, the workflow completes. So `/healthz` proves nothing here; look at `connectedWorkers` in the metadata.

# %% [markdown] tags=["predict"]
# ## Another namespace
#
# Somebody deploys `target` to the namespace `payments`: one line in the run file. Both apps are healthy, their workers are connected, and they share control plane and store. *What happens to the two calls?*

# %% tags=["predict"]
predict("namespace", ["both COMPLETED", "both FAILED", "both RUNNING"])

# %% tags=["write"]
# %%workfile 07-reach/dapr.yaml
version: 1
common:
  resourcesPath: components
apps:
  - appID: caller
    appDirPath: caller
    command: ["python3", "main.py"]
  - appID: target
    appDirPath: target
    command: ["python3", "main.py"]
    env: {NAMESPACE: payments}

# %% tags=["run"]
def deploy():
    """Start everything as the run file says now, and make both calls."""
    global lab
    lab = Lab(workspace("07-reach") / "dapr.yaml")
    lab.up(announce=False)
    return settled(start("activity", "work"), start("child", "work_in_a_child"))


activity, child = deploy()
observe("namespace", f"both {activity}" if activity == child else "they differ")

# %% tags=["look"]
for app_id in ("caller", "target"):
    print(f"{app_id}:", offered(app_id))
print(wait_until(report, within=30, what="the log line of the caller's sidecar"))

# %% tags=["look"]
for namespace, table in sorted(lab.placement_state()["tables"].items()):
    print(f"placement, {namespace}:", [host["id"] for host in table["hosts"]])

# %% [markdown] tags=["explain"]
# The third word of an actor type is the **namespace** of its app. The caller looks for `…default.target…`, and what exists is `…payments.target…`. A call never leaves its namespace, so a healthy app in another one is like an absent app.
#
# (The lab gives `NAMESPACE` of a run file to the sidecar, too. According to its source code, not tested here, the Dapr CLI gives it to the service only.)
#
# One metric also shows it. It counts attempts to run a workflow, by how each attempt ended:

# %% tags=["look"]
def attempts(ended):
    """Workflows of the caller that had an attempt with this end, by the sidecar's metrics."""
    lines = lab.app("caller").metrics().splitlines()
    counted = [line for line in lines if "workflow_execution_count{" in line]
    mine = [line for line in counted if f'status="{ended}"' in line]
    return sorted(line.partition('workflow_name="')[2].partition('"')[0] for line in mine)


wait_until(lambda: len(attempts("recoverable")) == 2, within=30, what="both in the metrics")
for ended in ("success", "failed", "recoverable"):
    print(f"{ended:<11}", attempts(ended))

# %% [markdown] tags=["explain"]
# *Recoverable* attempts are those that the runtime repeats. A number that grows here is a good alarm for calls that do not arrive.

# %% [markdown] tags=["change"]
# ## Change something
#
# Is `payments` itself the fault? Below, both apps get it. Run both cells. Then edit the first: choose a name of your own, then two different names, one for each app. Say what you expect each time.

# %% tags=["change"]
# %%workfile 07-reach/dapr.yaml
version: 1
common:
  resourcesPath: components
apps:
  - appID: caller
    appDirPath: caller
    command: ["python3", "main.py"]
    env: {NAMESPACE: payments}
  - appID: target
    appDirPath: target
    command: ["python3", "main.py"]
    env: {NAMESPACE: payments}

# %% tags=["change"]
print("both calls:", *deploy())

# %% [markdown] tags=["explain"]
# | mistake | the workflow | where you see it |
# |---|---|---|
# | name not registered | FAILED, with the name | its failure, the history |
# | wrong app ID | RUNNING | log of the caller's sidecar; placement does not list the app |
# | no worker connected | RUNNING | `connectedWorkers` of the target, no actor types |
# | another namespace | RUNNING | third word of the actor types; placement has two tables |

# %% tags=["quiz"]
quiz("which-symptom")

# %% [markdown] tags=["close"]
# ## What you can now do
#
# You tell a call that failed from a call that never arrived, and know for each reason one piece of evidence that proves it.
#
# [Claims](../docs/claims.md) you have seen: all apps of a workflow must be in one namespace; a name that is not registered fails; an absent app makes the workflow wait.
#
# Next: lesson 08 gives workflows a store, and checks the manifests.

# %% tags=["close"]
lab.down()
finish("07-reach-the-other-app")
