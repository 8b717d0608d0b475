# %% [markdown] tags=["opening"]
# # Give workflows a store, and check the manifests
#
# **You will** take the actor state store away from one app, then from the other, try what happens with two different stores, run on Redis, and fix Kubernetes manifests. 40 minutes.
#
# **You will be able to**
#
# - diagnose a missing actor state store, of the caller and of the target
# - compare what an error, the metadata and a log say about a store
# - locate deployment faults in Kubernetes manifests, and fix them
#
# **You need** lesson 07. Three questions from earlier lessons come first: answer from memory.
#
# Words: [glossary](../docs/glossary.md).

# %% tags=["recall"]
import textwrap

from labkit import Lab, finish, observe, predict, quiz, wait_until, workspace

quiz("which-symptom")

# %% tags=["recall"]
quiz("where-is-the-history")

# %% tags=["recall"]
quiz("whose-history")

# %% [markdown] tags=["story"]
# ## Where workflows are kept
#
# `caller` has two workflows: one calls an activity of `target`, the other a child workflow of `target`. Each app gets a folder of components, which its sidecar reads when it starts.

# %% tags=["write"]
# %%workfile 08-stores/caller/main.py
import signal

import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()


@wfr.workflow(name="activity")
def activity(ctx, given):
    return (yield ctx.call_activity("work", app_id="target"))


@wfr.workflow(name="child")
def child(ctx, given):
    return (yield ctx.call_child_workflow("work_in_a_child", app_id="target"))


wfr.start()
signal.pause()

# %% tags=["write"]
# %%workfile 08-stores/target/main.py
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

# %% tags=["code"]
ENTRY = """  - appID: {app}
    appDirPath: {app}
    resourcesPath: ../{components}
    command: ["python3", "main.py"]
"""


def deploy(caller="components", target="components", **more):
    """Start both apps, each with a folder of components."""
    apps = ENTRY.format(app="caller", components=caller)
    apps += ENTRY.format(app="target", components=target)
    (folder / "dapr.yaml").write_text(f"version: 1\napps:\n{apps}")
    lab = Lab(folder / "dapr.yaml", **more)
    lab.up(announce=False)
    return lab


# %% tags=["code"]
def status(workflow):
    """Start a workflow of the caller; return its status when it has ended or stands still."""
    lab.client("caller").schedule_new_workflow(workflow, instance_id=workflow)
    return lab.run(workflow).settle()


folder = workspace("08-stores")
lab = deploy()
print("activity:", status("activity"))
print("child:   ", status("child"))

# %% tags=["look"]
import sqlite3


def kept(database="statestore.sqlite"):
    """The workflows in a database of this lab, with the app that keeps each."""
    with sqlite3.connect(lab.folder / database) as db:
        keys = [key.split("||") for (key,) in db.execute("SELECT key FROM state")]
    return sorted({f"{key[0]}: {key[2]}" for key in keys if key[1].endswith(".workflow")})


print(*kept(), sep="\n")

# %% [markdown] tags=["explain"]
# Each app keeps the workflows that it hosts (`child:0001` is the child); an activity is in the history of its caller. A sidecar keeps workflows in its **actor state store**, the component whose property `actorStateStore` is "true". In the next folder it is "false":

# %% tags=["write"]
# %%workfile 08-stores/no-actors/statestore.yaml
apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: statestore
spec:
  type: state.sqlite
  version: v1
  metadata:
    - name: connectionString
      value: statestore.sqlite
    - name: busyTimeout
      value: 10s
    - name: actorStateStore
      value: "false"

# %% [markdown] tags=["predict"]
# ## The caller has no actor state store
#
# `caller` gets the folder `no-actors`; `target` stays as it is. *What happens to the workflow `activity`?*

# %% tags=["predict"]
predict("caller-store", ["starting it raises an error", "it stays RUNNING", "it COMPLETED"])

# %% tags=["run"]
import grpc

lab = deploy(caller="no-actors")
refusal = None
try:
    ended = status("activity")
    seen = "it stays RUNNING" if ended == "RUNNING" else f"it {ended}"
except grpc.RpcError as problem:
    refusal, seen = problem, "starting it raises an error"
observe("caller-store", seen)

# %% tags=["look"]
if refusal:
    print(refusal.code().name)
    print(textwrap.fill(refusal.details(), 90))

# %% [markdown] tags=["predict"]
# ## The target has no actor state store
#
# Now it is the other way round: `target` gets the folder `no-actors`, and `caller` is right again. *What happens to the two workflows?*

# %% tags=["predict"]
predict(
    "target-store",
    ["both COMPLETED", "activity COMPLETED, child RUNNING", "both RUNNING"],
)

# %% tags=["run"]
lab = deploy(target="no-actors")
activity, child = status("activity"), status("child")
differ = f"activity {activity}, child {child}"
observe("target-store", f"both {activity}" if activity == child else differ)

# %% tags=["look"]
def report():
    """What the caller's sidecar reports about a store, without the time."""
    lines = lab.app("caller").logs("sidecar").splitlines()
    about = [line for line in lines if "state store is" in line]
    reports = [line.partition("will be retried later: '")[2] for line in about]
    return textwrap.fill(max(reports, default="").partition("?")[0].replace('\\"', '"'), 90)


print(wait_until(report, within=30, what="the log line of the caller's sidecar"))

# %% tags=["look"]
for app_id in ("caller", "target"):
    components = [(c["name"], c["type"]) for c in lab.app(app_id).metadata()["components"]]
    log = lab.app(app_id).logs("sidecar")
    lines = [line for line in log.splitlines() if "as actor state store" in line]
    said = lines[0].partition('msg="')[2].partition('"')[0] if lines else "no such line"
    print(f"{app_id}: metadata", *components, "- log:", said)

# %% [markdown] tags=["explain"]
# An app needs an actor state store when it hosts workflows, child workflows included. An app with activities only needs none on 1.18.1.
#
# | who lacks it | you see |
# |---|---|
# | the caller | an error at once, which names the property |
# | the target, called for a child | RUNNING; the reason is in the log of the *caller's* sidecar |
#
# The metadata lists the component and does not show the line. The log of a sidecar names its actor state store at the start.

# %% tags=["write"]
# %%workfile 08-stores/own-store/statestore.yaml
apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: statestore
spec:
  type: state.sqlite
  version: v1
  metadata:
    - name: connectionString
      value: target.sqlite
    - name: actorStateStore
      value: "true"

# %% [markdown] tags=["predict"]
# ## Two stores
#
# This component points to another database, `target.sqlite`. It is given to `target`; `caller` keeps its own. *What happens to the two workflows?*

# %% tags=["predict"]
predict(
    "two-stores",
    ["both COMPLETED", "activity COMPLETED, child RUNNING", "both RUNNING"],
)

# %% tags=["run"]
lab = deploy(target="own-store")
activity, child = status("activity"), status("child")
for database in ("statestore.sqlite", "target.sqlite"):
    print(f"{database}:", *kept(database))
differ = f"activity {activity}, child {child}"
observe("two-stores", f"both {activity}" if activity == child else differ)

# %% [markdown] tags=["explain"]
# > [Multi Application Workflows](https://docs.dapr.io/developing-applications/building-blocks/workflow/workflow-multi-app/) says: all app IDs must use the same actor state store. On 1.18.1 two different ones work.
#
# So the compliance team can keep its audits in a database of its own. Instead of a folder for each app, a component can also list the app IDs that may use it, e.g. `scopes: [target]`; without `scopes`, every sidecar that reads the folder loads it.
#
# ## Redis
#
# Many clusters keep workflows in Redis: `state.redis` with the same property. The folder `components/redis` has such a component, and the lab starts a Redis server for it.

# %% tags=["code"]
lab = deploy(components="redis")
print("activity:", status("activity"), "child:", status("child"))
print([c["type"] for c in lab.app("caller").metadata()["components"]])

# %% [markdown] tags=["text"]
# ## The same questions in Kubernetes
#
# | question | where you ask |
# |---|---|
# | In which namespace is the app? | `kubectl get pods -A -l app=target` |
# | Which components are actor state stores? | `kubectl get components -A -o yaml` |
# | What does the caller's sidecar report? | `kubectl logs deploy/caller -c daprd` |
# | Is a worker connected? | `/v1.0/metadata` of the sidecar, after `kubectl port-forward` |
#
# Most answers are in the manifests before you deploy. A colleague has written two:

# %% tags=["write"]
# %%workfile 08-stores/manifests/apps.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: caller, namespace: tasks}
spec:
  selector: {matchLabels: {app: caller}}
  template:
    metadata:
      labels: {app: caller}
      annotations: {dapr.io/enabled: "true", dapr.io/app-id: caller}
    spec:
      containers: [{name: service, image: "example.com/caller:1.0"}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: target, namespace: work}
spec:
  selector: {matchLabels: {app: target}}
  template:
    metadata:
      labels: {app: target}
      annotations: {dapr.io/enabled: "true", dapr.io/app-id: target}
    spec:
      containers: [{name: service, image: "example.com/target:1.0"}]

# %% tags=["write"]
# %%workfile 08-stores/manifests/statestore.yaml
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: statestore, namespace: tasks}
spec:
  type: state.redis
  version: v1
  metadata:
    - {name: redisHost, value: "redis-master.tasks.svc.cluster.local:6379"}
    - {name: actorStateStore, value: "false"}

# %% [markdown] tags=["predict"]
# You know three requirements: one namespace, an actor state store, registered names. *How many of them do these manifests break for certain?*

# %% tags=["predict"]
predict("broken-requirements", ["none", "1", "2", "3"])

# %% tags=["run"]
from labkit.preflight import inspect


def findings():
    """Print what preflight finds in the manifests; return the requirements that are broken."""
    found = inspect([folder / "manifests"])
    for f in found:
        text = f"{f.state} - {f.requirement}: {f.why}" + (f". Fix: {f.fix}" if f.fix else "")
        text = text.replace(f"{folder}/", "")
        print(textwrap.fill(text, 90, subsequent_indent="    "))
    return {f.requirement for f in found if f.state == "broken"}


observe("broken-requirements", len(findings()))

# %% [markdown] tags=["change"]
# ## Change something
#
# `./lab preflight PATH` does the same in a terminal. Whether names are registered, no manifest says. The next cell fixes one fault. Edit the cells of the manifests until nothing is broken: there are two right answers for the namespace.

# %% tags=["change"]
# %%workfile 08-stores/manifests/statestore.yaml
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: statestore, namespace: tasks}
spec:
  type: state.redis
  version: v1
  metadata:
    - {name: redisHost, value: "redis-master.tasks.svc.cluster.local:6379"}
    - {name: actorStateStore, value: "true"}

# %% tags=["change"]
print("still broken:", *sorted(findings()) or ["nothing"])

# %% tags=["quiz"]
quiz("who-needs-a-store")

# %% [markdown] tags=["close"]
# ## What you can now do
#
# You find a missing actor state store on either side, give apps stores of their own, and check manifests before you deploy them.
#
# [Claims](../docs/claims.md) you have seen: each app that hosts workflows needs an actor state store; different stores work together; the metadata does not show how a store is used.
#
# Next: lesson 09 finds out what fails when a remote app fails.

# %% tags=["close"]
lab.down()
finish("08-stores-and-manifests")
