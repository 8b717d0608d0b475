# %% [markdown] tags=["opening"]
# # Run the manifests before the cluster does
#
# **You will** start Kubernetes manifests as processes, find six faults in them, end a pod in the middle of its work, and run the full manifests of the course. 45 minutes.
#
# **You will be able to**
#
# - run the apps of Kubernetes manifests on your machine, and say what that cannot show
# - diagnose six deployment faults without a cluster
# - predict what becomes of work in progress when a pod is ended
# - compare a team's needs with what one replica, one control plane and one store can do
#
# **You need** lesson 08. No cluster is needed. Three questions from earlier lessons come first.
#
# Words: [glossary](../docs/glossary.md).

# %% tags=["recall"]
from collections import Counter
from pathlib import Path

from grpc import RpcError

from labkit import Lab, finish, observe, predict, quiz, wait_until, workspace
from labkit.preflight import inspect

quiz("which-first")

# %% tags=["recall"]
quiz("who-needs-a-store")

# %% tags=["recall"]
quiz("limit-at-both-ends")

# %% [markdown] tags=["story"]
# ## One image, many apps
#
# A Deployment makes copies of a **pod**: a service and the sidecar that Dapr adds when annotations ask for it.
#
# Seven apps run the image `worker` or an older build. You wrote the first Deployment, colleagues the rest.

# %% tags=["write"]
# %%workfile 18-kubernetes/worker/main.py
import signal
import threading
import time

import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()


@wfr.activity(name="prepare")
def prepare(ctx):
    return None


@wfr.activity(name="work")
def work(ctx, seconds):
    print("begun", flush=True)
    time.sleep(seconds)
    print("finished", flush=True)


@wfr.workflow(name="job")
def job(ctx, seconds):
    yield ctx.call_activity(work, input=seconds)


@wfr.workflow(name="call_activity")
def call_activity(ctx, given):
    yield ctx.call_activity(prepare)
    yield ctx.call_activity("work", input=given["seconds"], app_id=given["app"])


@wfr.workflow(name="call_child")
def call_child(ctx, given):
    yield ctx.call_activity(prepare)
    yield ctx.call_child_workflow("job", input=given["seconds"], app_id=given["app"])


ended = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: ended.set())
wfr.start()
ended.wait()
wfr.shutdown()

# %% tags=["write"]
# %%workfile 18-kubernetes/worker-old/main.py
import signal

import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()


@wfr.activity(name="old_work")
def old_work(ctx, seconds):
    return None


wfr.start()
signal.pause()

# %% tags=["write"]
# %%workfile 18-kubernetes/manifests/orders.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: orders
  namespace: shop
spec:
  selector:
    matchLabels: {app: orders}
  template:
    metadata:
      labels: {app: orders}
      annotations:
        dapr.io/enabled: "true"
        dapr.io/app-id: orders
    spec:
      containers:
        - name: service
          image: registry.example.com/worker:2.0

# %% tags=["write"]
# %%workfile 18-kubernetes/manifests/others.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: mail, namespace: shop}
spec:
  selector: {matchLabels: {app: mail}}
  template:
    metadata:
      labels: {app: mail}
      annotations: {dapr.io/enabled: "true", dapr.io/app-id: mial}
    spec:
      containers: [{name: service, image: "registry.example.com/worker:2.0"}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: stock, namespace: shop}
spec:
  selector: {matchLabels: {app: stock}}
  template:
    metadata:
      labels: {app: stock}
      annotations: {dapr.io/enabled: "true", dapr.io/app-id: stock}
    spec:
      containers:
        - {name: service, image: "registry.example.com/worker:2.0", command: [sleep, "86400"]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: price, namespace: shopping}
spec:
  selector: {matchLabels: {app: price}}
  template:
    metadata:
      labels: {app: price}
      annotations: {dapr.io/enabled: "true", dapr.io/app-id: price}
    spec:
      containers: [{name: service, image: "registry.example.com/worker:2.0"}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: parcel, namespace: shop}
spec:
  selector: {matchLabels: {app: parcel}}
  template:
    metadata:
      labels: {app: parcel}
      annotations: {dapr.io/enabled: "true", dapr.io/app-id: parcel}
    spec:
      containers: [{name: service, image: "registry.example.com/worker-old:0.9"}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: audit, namespace: shop}
spec:
  selector: {matchLabels: {app: audit}}
  template:
    metadata:
      labels: {app: audit}
      annotations: {dapr.io/enabled: "true", dapr.io/app-id: audit}
    spec:
      containers: [{name: service, image: "registry.example.com/worker:2.0"}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: report, namespace: shop}
spec:
  selector: {matchLabels: {app: report}}
  template:
    metadata:
      labels: {app: report}
      annotations: {dapr.io/enabled: "true", dapr.io/app-id: report}
    spec:
      containers: [{name: service, image: "registry.example.com/worker:2.0"}]

# %% tags=["write"]
# %%workfile 18-kubernetes/manifests/statestore.yaml
apiVersion: v1
kind: Secret
metadata: {name: redis, namespace: shop}
stringData: {password: only-an-example}
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: statestore, namespace: shop}
spec:
  type: state.redis
  version: v1
  metadata:
    - {name: redisHost, value: "redis.shop.svc.cluster.local:6379"}
    - {name: redisPassword, secretKeyRef: {name: redis, key: password}}
    - {name: actorStateStore, value: "true"}
scopes: [orders, mail, stock, price, parcel]

# %% [markdown] tags=["text"]
# ## Apply them here
#
# `kubectl apply -R -f manifests` sends them to a cluster. `Lab.from_manifests` reads the same files, and starts each pod as two processes. For the image `…/worker:2.0` it takes the folder `worker`. It reports what it cannot show.

# %% tags=["code"]
folder = workspace("18-kubernetes")
lab = Lab.from_manifests(folder / "manifests")
lab.up()
print(*lab.not_shown, sep="\n")

# %% [markdown] tags=["predict"]
# ## Six tickets
#
# Each app but `orders` has one fault. `orders` calls an activity of `mail`, `stock`, `price` and `parcel`, and a child workflow of `audit`; `report` calls `orders`. Read the files. *How many of the six end in an error?*

# %% tags=["predict"]
predict("six-tickets", ["0", "1", "2", "3", "6"])

# %% tags=["code"]
CALLS = {a: ("orders", "call_activity", a) for a in ("mail", "stock", "price", "parcel")}
CALLS |= {"audit": ("orders", "call_child", "audit"), "report": ("report", "call_activity", "orders")}


def start(ticket, seconds=0):
    """Start the workflow of a ticket; return "" or the error that its starter gets."""
    caller, workflow, target = CALLS[ticket]
    given = {"app": target, "seconds": seconds}
    try:
        lab.client(caller).schedule_new_workflow(workflow, input=given, instance_id=ticket)
    except RpcError as problem:
        return f"error at the start: {problem.code().name}"
    return ""


# %% tags=["run"]
refused = {ticket: start(ticket) for ticket in CALLS}
ends = {t: error or lab.run(t).settle(4) for t, error in refused.items()}
for ticket, end in ends.items():
    print(f"{ticket:<8}", end)
observe("six-tickets", sum(end != "RUNNING" and end != "COMPLETED" for end in ends.values()))

# %% [markdown] tags=["explain"]
# The others are RUNNING for as long as you wait, and every sidecar is healthy. So ask what differs:

# %% tags=["look"]
print("app      namespace  worker  store")
for app in sorted(lab.started_apps(), key=lambda app: app.app_id):
    stores = [c for c in app.metadata().get("components", []) if "state." in c["type"]]
    workers = app.connected_workers()
    print(f"{app.app_id:<9}{app.namespace:<11}{workers:<8}{'yes' if stores else '-'}")
print("parcel:", lab.run("parcel").failure.message.partition(": ")[2])
log = lab.app("orders").logs("sidecar")
for target in ("mail", "stock", "price"):
    print(f"{target}: orders looks for dapr.internal.shop.{target}:", f"internal.shop.{target}." in log)
print("audit: no store, says orders:", "state store is not configured" in log)

# %% [markdown] tags=["explain"]
# | ticket | fault | who knows |
# |---|---|---|
# | `mail` | app ID `mial` | no app has the ID that is looked for |
# | `stock` | no worker | `connectedWorkers` is 0 |
# | `price` | namespace `shopping` | its namespace, and placement |
# | `parcel` | not registered in the old image | the failure, with the name |
# | `audit` | no actor state store at the target | the log of the *caller's* sidecar |
# | `report` | no actor state store at the caller | its metadata; the start fails: INTERNAL |
#
# The last two are in no Deployment: `audit` and `report` are missing from the component's `scopes`.

# %% [markdown] tags=["text"]
# ## The same questions in a cluster
#
# | `kubectl …` | here |
# |---|---|
# | `apply -R -f manifests` | `Lab.from_manifests(…)`, `lab.up()` |
# | `get pods -A` | `lab.status()`, `app.namespace` |
# | `logs deploy/orders -c daprd` | `lab.app("orders").logs("sidecar")` |
# | `logs deploy/stock -c service` | `lab.app("stock").logs()` |
# | `port-forward deploy/stock 3500`, then `curl localhost:3500/v1.0/metadata` | `lab.app("stock").metadata()` |
# | `get components -A -o yaml` | `…metadata()["components"]` |
# | `port-forward -n dapr-system pod/dapr-placement-server-0 8080`, then `curl localhost:8080/placement/state`; only with `dapr_placement.metadataEnabled=true` | `lab.placement_state()` |
# | `rollout restart deploy/mail` | `lab.restart("mial")` |
# | `delete pod …` | `lab.delete_pod("mial")` |
#
# The left column was not run here: there is no cluster. Where a line names no namespace, add `-n shop` (`apply` needs none).

# %% [markdown] tags=["text"]
# ## Before anything runs
#
# `./lab preflight` reads the same files and starts nothing. It names what is broken for certain. Here the app IDs of the calls are known at run time only, so much cannot be known:

# %% tags=["look"]
found = inspect([folder / "manifests"], [folder / "worker" / "main.py"])
for f in found:
    if f.state == "broken":
        print(f"{Path(f.where).name.partition(':')[0]}: {f.why}")
print(dict(Counter(f.state for f in found)))

# %% [markdown] tags=["text"]
# ## A pod is ended
#
# A scale-down, a new version, a drained node: pods end every day. All containers get SIGTERM; what still runs after the **grace period** is killed. `lab.delete_pod` does the same. On SIGTERM our service shuts its worker down.

# %% tags=["code"]
def deploy(grace, note="", hook=""):
    """Apply orders, and mail made of the same manifest with a grace period and more."""
    orders, store = [(folder / "manifests" / f"{n}.yaml").read_text() for n in ("orders", "statestore")]
    mail = orders.replace("orders", "mail")
    mail = mail.replace("containers:", f"terminationGracePeriodSeconds: {grace}\n      containers:")
    mail = mail.replace("app-id: mail", f"app-id: mail{note}").replace(":2.0", f":2.0{hook}")
    place = folder / "two" / "apps.yaml"
    place.parent.mkdir(exist_ok=True)
    place.write_text("\n---\n".join([orders, mail, store]))
    lab = Lab.from_manifests(place, images={"registry.example.com/worker": folder / "worker"})
    lab.up(announce=False)
    return lab


# %% tags=["code"]
def cut_off():
    """End the pod of mail in the middle of 6 s of work, start it again; return what happened."""
    start("mail", seconds=6)
    said = lab.app("mail").logs
    wait_until(lambda: "begun" in said(), within=30, what="the work has begun")
    lab.delete_pod("mail")
    lab.up("mail", announce=False)
    lab.run("mail").wait(60)
    print("begun:", said().count("begun"), "finished:", said().count("finished"))
    times = {1: "once", 2: "twice"}.get(said().count("begun"), "more often")
    return f"{lab.run('mail').status}, begun {times}"


# %% [markdown] tags=["predict"]
# `mail` is repaired. Its activity takes 6 s, its grace period is 1 s. Then the pod is started again. *How does the workflow end, and how often has the work begun?*

# %% tags=["predict"]
ENDS = ["FAILED, begun once", "COMPLETED, begun once", "COMPLETED, begun twice"]
predict("short-grace", ENDS)

# %% tags=["run"]
lab = deploy(grace=1)
observe("short-grace", cut_off())

# %% [markdown] tags=["explain"]
# The work was cut, and done again: at least once, as after any crash.
#
# ## More time
#
# Now the grace period is 30 s, five times what the work needs. *How does the workflow end now, and how often has the work begun?*

# %% tags=["predict"]
predict("long-grace", ENDS)

# %% tags=["run"]
lab = deploy(grace=30)
observe("long-grace", cut_off())

# %% [markdown] tags=["explain"]
# The work was finished, and yet done again. Both containers get SIGTERM at the same moment. The service waits for its work; the sidecar has ended by then, so nobody takes the result.
#
# Two lines keep both alive: `dapr.io/block-shutdown-duration` lets the sidecar wait, and a `preStop` hook delays SIGTERM for the service. Neither is enough alone: a worker that gets SIGTERM closes its connection, so it cannot hand in a result even to a sidecar that waits. Both count against the grace period.

# %% [markdown] tags=["change"]
# ## Change something
#
# Run the cell. Then leave one of the two lines out, or make one shorter than the work, and say before what you expect.

# %% tags=["change"]
BLOCK = '\n        dapr.io/block-shutdown-duration: "9s"'
HOOK = "\n          lifecycle: {preStop: {sleep: {seconds: 9}}}"
lab = deploy(grace=30, note=BLOCK, hook=HOOK)
print(cut_off())

# %% [markdown] tags=["text"]
# In these seconds the pod still takes new work, which may be cut in turn. So only an idempotent activity is safe.
#
# ## The whole course
#
# [components/kubernetes/course](../components/kubernetes/course) has the four services with all that a cluster asks for. A **probe** is a question that the cluster asks a container again and again. The readiness probe here asks for a worker, because a sidecar without one is healthy, too.

# %% tags=["code"]
order = {"task_id": "task-123", "title": "Review PR", "assignee_email": "alice@example.com"}
order |= {"assignee_user_id": "user-alice"}
lab = Lab.from_manifests("components/kubernetes/course")
lab.up(announce=False)
client = lab.client("task-orchestrator-service")
for workflow in ("task_with_audit", "task_with_priority"):
    client.schedule_new_workflow(workflow, input=order, instance_id=workflow)
    print(workflow, lab.run(workflow).wait(60).status)

# %% [markdown] tags=["text"]
# ## In a cluster of your own
#
# [kind.sh](../components/kubernetes/kind.sh) makes one with kind or minikube and applies these manifests; it needs Docker. Probes, NetworkPolicies and the autoscaler act only there.
#
# Where a team outgrows this (right column: not run here):
#
# | with only one … | its limit | change |
# |---|---|---|
# | replica | calls wait while its pod is away | two replicas, files in a database |
# | scheduler | after a kill it serves nobody for 21 to 23 s ([facts](../docs/facts.md)) | HA mode of Dapr's chart |
# | store | all history is on one disk | a managed store, backups |
# | namespace | every app may call every other | WorkflowAccessPolicy, mTLS |

# %% tags=["quiz"]
quiz("who-waits-for-the-result")

# %% [markdown] tags=["close"]
# ## What you can now do
#
# You run a team's manifests without a cluster, find the six faults of a deployment by one question each, and know what becomes of work when a pod ends.
#
# [Claims](../docs/claims.md) you have seen: all apps of a workflow must be in one namespace; an absent app makes a workflow wait. What becomes of work when a pod ends was measured: [facts](../docs/facts-kubernetes.md).
#
# Next: the exercises of this lesson; then lesson 19 decides who may call whom.

# %% tags=["close"]
lab.down()
finish("18-run-it-in-kubernetes")
