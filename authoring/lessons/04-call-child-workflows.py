# %% [markdown] tags=["opening"]
# # Call a child workflow in the audit service
#
# **You will** call another team's whole workflow as a step, find its history, count what runs twice after a kill, and replay a run. 45 minutes.
#
# **You will be able to**
#
# - call a child workflow of another app, with an instance ID of your choice
# - locate the history of a child
# - predict what runs once and what runs twice when parent or target is killed
# - end and remove a workflow together with its child in another app
# - replay a recorded history, to see whether changed code still fits it
#
# **You need** lesson 03. First three questions from earlier lessons, from memory.

# %% tags=["recall"]
from labkit import Lab, finish, observe, predict, quiz, wait_until, workspace

quiz("03-same-key")

# %% tags=["recall"]
quiz("01-plan-in-memory")

# %% tags=["recall"]
quiz("02-which-clock")

# %% [markdown] tags=["story"]
# ## The compliance team wants more than a step
#
# Every assignment has to be audited: recorded, checked against rules, and an alert raised where one is broken. The compliance team owns these steps. It offers a workflow; yours calls it as a **child workflow**.

# %% tags=["code"]
from labkit import paths

source = (paths.repo() / "services" / "audit-service" / "main.py").read_text()
start = source.index("def compliance_audit_workflow")
print(source[start : source.index("# ---", start)].strip())

lab = Lab()
lab.up("task-orchestrator-service", "notification-service", "audit-service")
client = lab.client("task-orchestrator-service")


def order(task_id, email="alice@example.com"):
    about = {"task_id": task_id, "title": "Review PR", "assignee_user_id": "user-alice"}
    return {**about, "assignee_email": email}


# %% [markdown] tags=["predict"]
# `task_with_audit` validates, assigns, sends a mail, and calls the child. *How many steps does the parent's own history hold?*

# %% tags=["predict"]
predict("parent-steps", ["3: it ends at the child", "4: the child is one step", "6: all of them"])

# %% tags=["run"]
client.schedule_new_workflow("task_with_audit", input=order("t-1"), instance_id="first")
run = lab.run("first").wait()
print(run.status, run.output["audit"])
recorded, own = run.history.events, len(run.history.own_steps())
observe("parent-steps", f"{own}: the child is one step" if own == 4 else f"{own}")

# %% tags=["look"]
run.show()

# %% [markdown] tags=["explain"]
# The parent's history has one line for the child: created, and later its result. The child's own steps are in the history of `audit-service`. The picture joins both: the bar of the child, and below it the steps in the other lane.

# %% [markdown] tags=["predict"]
# ## A violating order
#
# The assignee is from another company. *How does the parent end?*

# %% tags=["predict"]
predict("violating-order", ["FAILED", "COMPLETED, with an alert", "COMPLETED, without an alert"])

# %% tags=["run"]
client.schedule_new_workflow(
    "task_with_audit", input=order("t-2", "mallory@else.org"), instance_id="second"
)
second = lab.run("second").wait()
alerts = [row["task_id"] for row in lab.ledger("audit-service", "alerts")]
print(second.output["audit"], "alerts:", alerts)
observe("violating-order", f"{second.status}, with{'' if 't-2' in alerts else 'out'} an alert")

# %% [markdown] tags=["explain"]
# A broken rule is a result, not a failure. What to do with it is the parent's decision.
#
# ## The child's instance ID
#
# The parent chose it: `audit-` and the task's ID. So the compliance team can find an audit by its task.

# %% tags=["look"]
child = run.history.children[0]
print(child.instance_id, "is hosted by", child.app_id)
print("asked from the parent's sidecar:", client.get_workflow_state(child.instance_id))
print("asked from its own:", lab.run(child.instance_id).status)

# %% tags=["quiz"]
quiz("04-whose-history")

# %% [markdown] tags=["predict"]
# *Another parent calls a child with the same ID, after the first has ended. What happens?*

# %% tags=["predict"]
predict("same-child-id", ["an error", "the old result is returned", "the child runs again"])

# %% tags=["run"]
def audits(task_id):
    return sum(row["task_id"] == task_id for row in lab.ledger("audit-service", "events"))


client.schedule_new_workflow("task_with_audit", input=order("t-1"), instance_id="again")
print(lab.run("again").wait().status)
observe("same-child-id", "the child runs again" if audits("t-1") == 2 else "the old result is returned")

# %% [markdown] tags=["explain"]
# An ID that has ended is free again on 1.18.1, and the new run replaces the old history. The ledger still shows both audits. So an instance ID is no lock against doing something twice.
#
# ## Kill the parent, kill the target
#
# Two small apps make the moment visible: `work` runs in `target`, notes each start and waits for a file. First you kill `caller`, parent of a running child. Then you kill `target`.

# %% tags=["write"]
# %%workfile 04-kill/target/main.py
import os
import pathlib
import signal
import time

import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()
notes = pathlib.Path(os.environ["LEDGER"]).with_suffix(".txt")


@wfr.activity(name="work")
def work(ctx, gate):
    with notes.open("a") as out:
        out.write(f"{ctx.workflow_id}\n")
    while not pathlib.Path(gate).exists():
        time.sleep(0.05)


@wfr.workflow(name="child")
def child(ctx, gate):
    yield ctx.call_activity(work, input=gate)


wfr.start()
signal.pause()

# %% tags=["write"]
# %%workfile 04-kill/caller/main.py
import signal

import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()


@wfr.workflow(name="parent")
def parent(ctx, gate):
    yield ctx.call_child_workflow("child", input=gate, app_id="target")


@wfr.workflow(name="same_id")
def same_id(ctx, gate):
    yield ctx.call_child_workflow("child", input=gate, app_id="target", instance_id="one-id")


wfr.start()
signal.pause()

# %% tags=["write"]
# %%workfile 04-kill/dapr.yaml
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

# %% tags=["predict"]
predict("starts-of-work", ["parent 1, target 1", "parent 1, target 2", "parent 2, target 2"])

# %% tags=["run"]
lab = Lab(workspace("04-kill") / "dapr.yaml")
lab.up(announce=False)
notes = lab.folder / "ledgers" / "target.txt"


def starts_when_killed(app_id):
    gate = lab.folder / f"gate-{app_id}"
    lab.client("caller").schedule_new_workflow("parent", input=str(gate), instance_id=app_id)
    wait_until(lambda: notes.exists() and f"{app_id}:" in notes.read_text())
    wait_until(lambda: "work" in [s.name for s in lab.run(app_id).history.steps()])
    lab.kill(app_id)
    lab.up(announce=False)
    gate.touch()
    print(app_id, "killed; the parent is", lab.run(app_id).wait(60).status)
    return notes.read_text().count(f"{app_id}:")


# %% tags=["look"]
counts = [starts_when_killed(app_id) for app_id in ("caller", "target")]
observe("starts-of-work", f"parent {counts[0]}, target {counts[1]}")

# %% [markdown] tags=["explain"]
# The parent's death does not touch the child: it runs in the other app, and its result waits until the parent is back. The target's death cuts the activity off, so it starts a second time. The recorded child itself is not started again. (A few milliseconds earlier, before the step is recorded, it can start three times: at least once.)
#
# > A page says: a recorded child is not executed again. On 1.18.1: true, and its activity may be.
#
# Two parents can also call one child ID while it runs: `same_id`, started twice.

# %% tags=["look"]
print("without an ID of yours, the child was called", lab.run("caller").history.children[0].instance_id)
gate, client = lab.folder / "gate-one-id", lab.client("caller")
client.schedule_new_workflow("same_id", input=str(gate), instance_id="one")
wait_until(lambda: "one-id" in notes.read_text())
client.schedule_new_workflow("same_id", input=str(gate), instance_id="two")
print("while the first child runs, the second parent is", lab.run("two").settle(1))
gate.touch()
print("then:", lab.run("one").wait().status, lab.run("two").wait().status)
print("the child ran", notes.read_text().count("one-id"), "times")

# %% [markdown] tags=["predict"]
# One ID for two parents at the same time: the second waits, then the child runs again. (Newer versions refuse it.)
#
# ## End it on purpose
#
# A kill is an accident, `terminate_workflow` an order. The parent is ended while its child works in `target`. *What becomes of the child?*

# %% tags=["predict"]
predict("terminated-child", ["it is TERMINATED, too", "it stays RUNNING", "it is COMPLETED"])

# %% tags=["run"]
client = lab.client("caller")


def end(name, both):
    client.schedule_new_workflow("parent", input=str(lab.folder / "never"), instance_id=name)
    child = wait_until(lambda: lab.run(name).history.children)[0].instance_id
    client.terminate_workflow(name, recursive=both)
    return lab.run(name).settle(), lab.run(child).settle(5 if both else 1)


both, alone = end("family", True), end("parent-only", False)
print("recursive:", both, "not recursive:", alone)
observe("terminated-child", "it is TERMINATED, too" if both[1] == "TERMINATED" else f"it is {both[1]}")

# %% tags=["look"]
import grpc

for name in ("family", "parent-only"):
    try:
        client.purge_workflow(name)
        print(name, "is removed, with its child")
    except grpc.RpcError as problem:
        print(name, "is not removed:", problem.details().rpartition(": ")[2])

# %% [markdown] tags=["predict"]
# `terminate` and `purge` follow the children into their apps, unless you say `recursive=False`. An activity that has begun is not stopped. What still runs cannot be purged.
#
# ## Replay, step by step
#
# Each time a step ends, the workflow function is run again from its first line: **replay**. `replay` does that here, without a runtime, with your code and the history of the first order. *That parent had four steps. How often is its function begun?*

# %% tags=["predict"]
predict("turns", ["once", "4 times", "5 times"])

# %% tags=["run"]
from labkit.replay import replay, runtime_of

service = paths.repo() / "services" / "task-orchestrator-service" / "main.py"
turns = replay(runtime_of(service), recorded)
for turn in turns:
    print(f"{len(turn.answered)} answered from the history, asks for", *turn.asks)
observe("turns", "once" if len(turns) == 1 else f"{len(turns)} times")

# %% [markdown] tags=["explain"]
# No activity ran: the history answered. Code that asks for other steps, or in another order, does not fit it.
#
# ## Change something
#
# Here `assign_task` is taken out, as a colleague may do on a Friday. Do orders that are under way survive it?

# %% tags=["change"]
start, assign = service.read_text().index("def task_with_audit"), "    yield ctx.call_activity(assign_task"
text = service.read_text()
changed = workspace("04-replay") / "main.py"
rest = text[start:].replace(assign, "    # " + assign.strip(), 1)
size = changed.write_text(text[:start] + rest)
for turn in replay(runtime_of(changed), recorded):
    print(*turn.asks, "|", (turn.failure or "fits").strip()[:66])

# %% [markdown] tags=["close"]
# ## What you can now do
#
# You call child workflows of another app, find their history, know what a kill repeats, end a family of workflows, and test changed code against a recorded history.
#
# [Claims](../docs/claims.md) you have seen: a child's history stays with its app; an instance ID that has ended is used again; a parent's death does not repeat the child.
#
# Practise with the exercises `name-the-child` and `hold-the-task` and the break labs `audited-orders-fail`, `whose-audit` and `restart-changes-the-plan`. Next: lesson 05 about a service with its own needs.

# %% tags=["close"]
lab.down()
finish("04-call-child-workflows")
