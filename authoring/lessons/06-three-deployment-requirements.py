# %% [markdown] tags=["opening"]
# # Break and fix three deployment requirements
#
# **You will** meet three symptoms before you read the rules, tell them apart by evidence, fix each, and read the same faults in Kubernetes manifests. 40 minutes.
#
# **You will be able to**
#
# - diagnose a wrong namespace, a missing actor state store and a missing registration
# - compare what metadata, logs and placement tell about each
# - locate the same faults in Kubernetes manifests
#
# **You need** lesson 04. First three questions from earlier lessons, from memory.

# %% tags=["recall"]
from labkit import Lab, finish, observe, predict, quiz, workspace

quiz("05-too-large")

# %% tags=["recall"]
quiz("04-whose-history")

# %% tags=["recall"]
quiz("02-not-knowable")

# %% [markdown] tags=["story"]
# ## It worked on my machine
#
# `caller` calls an activity and a child workflow of `target`. On your machine both work. Then the apps are deployed by three people, and each deployment differs in one line.

# %% tags=["write"]
# %%workfile 06-require/caller/main.py
import signal

import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()


@wfr.activity(name="prepare")
def prepare(ctx, given):
    return given


@wfr.workflow(name="activity")
def activity(ctx, given):
    yield ctx.call_activity(prepare, input="local first")
    return (yield ctx.call_activity("work", app_id="target"))


@wfr.workflow(name="child")
def child(ctx, given):
    yield ctx.call_activity(prepare, input="local first")
    return (yield ctx.call_child_workflow("child", app_id="target"))


@wfr.workflow(name="missing")
def missing(ctx, given):
    return (yield ctx.call_activity("nothing", app_id="target"))


wfr.start()
signal.pause()

# %% tags=["write"]
# %%workfile 06-require/target/main.py
import signal

import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()


@wfr.activity(name="work")
def work(ctx):
    return "done"


@wfr.workflow(name="child")
def child(ctx, given):
    return (yield ctx.call_activity(work))


wfr.start()
signal.pause()

# %% tags=["code"]
RUN_FILE = """version: 1
apps:
  - appID: caller
    appDirPath: caller
    resourcesPath: ../components
    command: ["python3", "main.py"]
  - appID: target
    appDirPath: target
    resourcesPath: ../components
    command: ["python3", "main.py"]
"""
folder = workspace("06-require")


# %% tags=["code"]
def deployed(change="", by="", **more):
    """Deploy with one text of the run file changed; return the running lab."""
    (folder / "dapr.yaml").write_text(RUN_FILE.replace(change, by) if change else RUN_FILE)
    lab = Lab(folder / "dapr.yaml", **more)
    lab.up(announce=False)
    return lab


def status(lab, *names, within=5):
    for name in names:
        lab.client("caller").schedule_new_workflow(name, instance_id=name)
    return ", ".join(f"{name} {lab.run(name).settle(within)}" for name in names)


print(status(deployed(), "activity", "child"))

# %% [markdown] tags=["predict"]
# ## Deployment 1
#
# One line was added for `target`: `NAMESPACE: payments`. Both apps share the control plane and the store. *What happens to both workflows?*

# %% tags=["predict"]
predict("namespace", ["both complete", "both fail", "both stay RUNNING"])

# %% tags=["run"]
lab = deployed("appDirPath: target\n", "appDirPath: target\n    env: {NAMESPACE: payments}\n")
print(status(lab, "activity", "child"))
stuck = {lab.run(name).status for name in ("activity", "child")} == {"RUNNING"}
observe("namespace", "both stay RUNNING" if stuck else "something else")

# %% tags=["look"]
def types(app_id):
    return sorted(a["type"] for a in lab.app(app_id).metadata()["actorRuntime"]["activeActors"])


print(types("caller")[0], types("target")[0], sep="\n")
print("'did not find address' in the log:", "did not find address" in lab.app("caller").logs("sidecar"))

# %% tags=["look"]
def counted(app_id, status):
    """The counters of workflow turns that ended so, from the sidecar's metrics."""
    name = "dapr_runtime_workflow_execution_count"
    lines = lab.app(app_id).metrics().splitlines()
    found = [line for line in lines if line.startswith(name) and f'status="{status}"' in line]
    return sorted(line.partition('workflow_name="')[2].partition('"')[0] for line in found)


print("recoverable:", counted("caller", "recoverable"), "failed:", counted("caller", "failed"))

# %% [markdown] tags=["explain"]
# Requirement 1: one **namespace**. Actor types carry the namespace of their app, and a call looks in its own. So a healthy app elsewhere is like an absent one: no failure, nothing in the history. Evidence: the third word of the actor types. And one metric rings: turns that ended *recoverable*, which the runtime goes on repeating.
#
# (The lab hands `NAMESPACE` of a run file to the sidecar, too. By its sources, which we read and did not run, the Dapr CLI gives it to the service only.)

# %% [markdown] tags=["predict"]
# ## Deployment 2
#
# In this folder of components the line `actorStateStore` says "false". Only `caller` uses it. *What happens?*

# %% tags=["predict"]
predict("caller-store", ["schedule raises at once", "it stays RUNNING", "it completes"])

# %% tags=["run"]
import grpc

own = folder / "own-components"
own.mkdir(exist_ok=True)
store = (folder / "components" / "statestore.yaml").read_text()
(own / "statestore.yaml").write_text(store.replace('"true"', '"false"'))
lab = deployed("caller\n    resourcesPath: ../components", "caller\n    resourcesPath: ../own-components")
try:
    seen = status(lab, "activity")
except grpc.RpcError as problem:
    seen = "schedule raises at once"
    print(problem.code().name, "actorStateStore" in problem.details())
observe("caller-store", seen)

# %% [markdown] tags=["predict"]
# Now `caller` is right again, and `target` has no actor state store. *What happens to activity and child?*

# %% tags=["predict"]
predict("target-store", ["both complete", "activity completes, child stays RUNNING", "both stay RUNNING"])

# %% tags=["run"]
lab = deployed("target\n    resourcesPath: ../components", "target\n    resourcesPath: ../own-components")
seen = status(lab, "activity", "child")
print(seen)
good = seen == "activity COMPLETED, child RUNNING"
observe("target-store", "activity completes, child stays RUNNING" if good else seen)

# %% tags=["look"]
for app_id in ("caller", "target"):
    print(f"{app_id}: names an actor store in its log:", not lab.app(app_id).lacks_actor_store())
told = lab.app("caller").logs("sidecar")
print("the caller's log explains:", "not configured to use the actor runtime" in told)

# %% [markdown] tags=["explain"]
# Requirement 2: an **actor state store** where workflows live. A workflow, also a child, is kept by its app, so that app needs the store. Activities are not kept: an app with activities only needs none on 1.18.1.
#
# > The documentation says: all apps must use the same store. On 1.18.1: two different ones work.
#
# Metadata lists the component and cannot show this property. The log names the store at the start.

# %% [markdown] tags=["predict"]
# ## Deployment 3
#
# Everything is right, and the name that is called was never registered. *What happens?*

# %% tags=["predict"]
predict("registration", ["FAILED at once", "RUNNING for ever", "COMPLETED without a result"])

# %% tags=["run"]
lab = deployed()
print(status(lab, "missing"))
print(lab.run("missing").failure.error_type)
observe("registration", "FAILED at once" if lab.run("missing").failure else "RUNNING for ever")

# %% [markdown] tags=["explain"]
# Requirement 3: **registration** of the name. The app was reached, so this one fails, with a message that names the name. Three requirements, three symptoms: RUNNING without a trace, an error for the client, a FAILED workflow.

# %% tags=["quiz"]
quiz("06-which-symptom")

# %% [markdown] tags=["change"]
# ## Change something
#
# Is `payments` itself the fault? Give *both* apps that namespace. Then change the line: two different names, or a name of your own.

# %% tags=["change"]
lab = deployed("apps:\n", "common:\n  env: {NAMESPACE: payments}\napps:\n")
print(status(lab, "activity", "child"))
lab = deployed()

# %% [markdown] tags=["text"]
# ## The same in Kubernetes
#
# There you ask the same questions:
#
# ```sh illustration: needs a cluster
# kubectl get pods -A -l app=target                   # requirement 1: its namespace
# kubectl get components -A -o yaml                   # requirement 2: actorStateStore
# kubectl logs deploy/caller -c daprd                 # what the caller's sidecar complains of
# kubectl port-forward deploy/target 3500:3500 &      # requirement 3: is a worker connected?
# curl -s localhost:3500/v1.0/metadata
# ```
#
# The last answer has the same form as here:

# %% tags=["look"]
import json

told = lab.app("target").metadata()
print(json.dumps({"id": told["id"], "workflows": told["workflows"]}))
for actor_type in sorted(told["actorRuntime"]["activeActors"], key=str):
    print(json.dumps(actor_type))

# %% [markdown] tags=["text"]
# Two folders of manifests, one right and one wrong. `preflight` reads them without a cluster.

# %% tags=["look"]
from labkit import paths
from labkit.preflight import inspect

for name in ("wrong", "correct"):
    found = inspect([paths.repo() / "components" / "kubernetes" / name])
    print(name, [(f.requirement, f.state) for f in found if f.requirement != "names"])
    print(*[f"  {f.fix.split('/')[0]}…" for f in found if f.state == "broken"][:1])

# %% [markdown] tags=["text"]
# ## The store of the documentation, for real
#
# Many clusters keep workflows in Redis: `state.redis` with `actorStateStore`. The set `components/redis` is that, and the lab starts a Redis server for it.

# %% tags=["code"]
lab = deployed(components="redis")
print(status(lab, "activity", "child"))
print([c["type"] for c in lab.app("caller").metadata()["components"]])

# %% tags=["quiz"]
quiz("06-who-needs-a-store")

# %% [markdown] tags=["close"]
# ## What you can now do
#
# You tell three deployment faults apart: by the status, then by one piece of evidence each.
#
# [Claims](../docs/claims.md) you have seen: one namespace; an actor state store where workflows live; names must be registered; different stores work.
#
# Practise with the exercises `own-store-for-audit` and `move-to-payments`, then with the break labs `nobody-answers`, `every-order-fails`, `healthy-and-not-there`, `no-order-starts`, `sidecars-end` and `no-store-in-sight`. Next: lesson 07, when a remote app fails.

# %% tags=["close"]
lab.down()
finish("06-three-deployment-requirements")
