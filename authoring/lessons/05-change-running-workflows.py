# %% [markdown] tags=["opening"]
# # Change code while workflows run
#
# **You will** count how many times a workflow function is started, release code while orders wait, see what becomes of one of them, and release the same change safely. 40 minutes.
#
# **You will be able to**
#
# - predict how many times a workflow function is started from its first line
# - replay a recorded history, to see whether changed code still fits it
# - change a workflow so that waiting instances keep their old path
# - end and remove a workflow together with its child in another app
#
# **You need** lesson 04. Three questions from earlier lessons come first: answer from memory.
#
# Words: [glossary](../docs/glossary.md).

# %% tags=["recall"]
from labkit import Lab, finish, observe, predict, quiz, wait_until, workspace

quiz("which-clock")

# %% tags=["recall"]
quiz("recorded-steps")

# %% tags=["recall"]
quiz("whose-history")

# %% [markdown] tags=["story"]
# ## Orders wait, releases do not
#
# `order` validates, reserves, asks for an approval, and notifies. The approval, a child workflow in another app, can take days. Meanwhile you release new code. Here are the activities, and `clocks`, which reads two clocks and prints both:

# %% tags=["write"]
# %%workfile 05-change/orders/main.py --part 1
import signal
from datetime import datetime

import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()


@wfr.activity(name="validate")
def validate(ctx, order): ...


@wfr.activity(name="reserve")
def reserve(ctx, order): ...


@wfr.activity(name="notify")
def notify(ctx, order): ...


@wfr.workflow(name="clocks")
def clocks(ctx, order):
    print(f"first line: {ctx.current_utc_datetime:%T.%f} {datetime.now():%T.%f}", flush=True)
    yield ctx.call_activity(validate, input=order)
    yield ctx.call_activity(notify, input=order)

# %% [markdown] tags=["text"]
# The second part of the same file is the workflow that you will change:

# %% tags=["write"]
# %%workfile 05-change/orders/main.py --part 2
@wfr.workflow(name="order")
def order(ctx, order):
    yield ctx.call_activity(validate, input=order)
    yield ctx.call_activity(reserve, input=order)
    yield ctx.call_child_workflow("approval", app_id="approvals", instance_id=f"approval-{order}")
    yield ctx.call_activity(notify, input=order)


if __name__ == "__main__":
    wfr.start()
    signal.pause()

# %% tags=["write"]
# %%workfile 05-change/approvals/main.py
import signal

import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()


@wfr.workflow(name="approval")
def approval(ctx, given):
    yield ctx.wait_for_external_event("approved")


wfr.start()
signal.pause()

# %% tags=["write"]
# %%workfile 05-change/dapr.yaml
version: 1
common:
  resourcesPath: components
apps:
  - appID: orders
    appDirPath: orders
    command: ["python3", "main.py"]
  - appID: approvals
    appDirPath: approvals
    command: ["python3", "main.py"]

# %% [markdown] tags=["predict"]
# ## How a workflow goes on
#
# `clocks` calls two activities, one after the other. Its first line prints. *How many times is that line printed in one run?*

# %% tags=["predict"]
predict("first-line", ["1 time", "2 times", "3 times"])

# %% tags=["run"]
folder = workspace("05-change")
lab = Lab(folder / "dapr.yaml")
lab.up()
lab.client("orders").schedule_new_workflow("clocks", input="o-0", instance_id="clocks")
print(lab.run("clocks").wait().status)
lines = lab.app("orders").logs().splitlines()
printed = [line.split()[-2:] for line in lines if line.startswith("first line")]
observe("first-line", f"{len(printed)} time{'s' if len(printed) > 1 else ''}")

# %% tags=["look"]
print("different values of ctx.current_utc_datetime:", len({workflow for workflow, _ in printed}))
print("different values of datetime.now():          ", len({real for _, real in printed}))

# %% [markdown] tags=["explain"]
# Each time a step ends, the function is started again from its first line. Steps that have ended are answered from the history; this is **replay**. So the function must ask for the same steps each time:
#
# | in workflow code, do not use | use instead |
# |---|---|
# | `datetime.now()` | `ctx.current_utc_datetime` |
# | random numbers, files, settings, HTTP | an activity: its result is recorded |
# | variables outside the function | its input |
# | `yield helper(ctx)`, with steps in the helper | `yield from helper(ctx)` |

# %% [markdown] tags=["text"]
# ## A release while two orders wait
#
# You start two orders. Both wait for their approval, and you keep the history of one as it is now. Then a colleague decides that nothing has to be reserved, and removes that line.

# %% tags=["code"]
client = lab.client("orders")


def start(*instance_ids):
    """Start orders, and wait until each one waits for its approval."""
    for name in instance_ids:
        client.schedule_new_workflow("order", input=name, instance_id=name)
        wait_until(lambda n=name: lab.run(n).history.children, what=f"the approval of {name}")


start("o-1", "o-2")
waiting = lab.run("o-2").history.events
print([step.name for step in lab.run("o-2").history.own_steps()])

# %% tags=["write"]
# %%workfile 05-change/orders/main.py --part 2
@wfr.workflow(name="order")
def order(ctx, order):
    yield ctx.call_activity(validate, input=order)
    yield ctx.call_child_workflow("approval", app_id="approvals", instance_id=f"approval-{order}")
    yield ctx.call_activity(notify, input=order)


if __name__ == "__main__":
    wfr.start()
    signal.pause()

# %% [markdown] tags=["predict"]
# The service is restarted with the new code. Then `o-1` is approved. *How does `o-1` end?*

# %% tags=["predict"]
predict("after-release", ["COMPLETED", "FAILED", "RUNNING for ever"])

# %% tags=["run"]
def approve(name):
    client = lab.client("approvals")
    client.raise_workflow_event(f"approval-{name}", "approved")
    return lab.run(name).settle()


lab.restart("orders", "worker")
ended = approve("o-1")
observe("after-release", "RUNNING for ever" if ended == "RUNNING" else ended)

# %% tags=["look"]
import textwrap

failure = lab.run("o-1").failure
print(failure.error_type)
print(textwrap.fill(failure.message, 90))

# %% [markdown] tags=["explain"]
# The history of `o-1` says that step 2 was an activity, `reserve`. The new code asked for a child workflow as step 2. The SDK cannot know which of them is right, so it fails the workflow. Nothing failed at the release itself, and with this code `o-2` would fail in the same way when it is approved.
#
# ## Ask before you release
#
# `replay` runs a workflow function over a recorded history, here in the notebook. No activity runs, and no runtime is needed: the history answers.

# %% tags=["look"]
from labkit.replay import replay, runtime_of


def fit(history):
    """Whether the code of `order`, as it is in the file now, fits a history."""
    last = replay(runtime_of(folder / "orders" / "main.py"), history)[-1]
    if last.failure:
        return textwrap.fill(f"it does not fit: {last.failure.partition('. This kind')[0]}", 90)
    answered = ", ".join(last.answered)
    return f"it fits: the history answers {answered}; then it asks for {last.asks[-1]}"


print(fit(waiting))

# %% [markdown] tags=["predict"]
# ## First way out: end it
#
# An order that must not go on can be ended on purpose: `client.terminate_workflow(name)`. *What becomes of its approval, which runs in the other app?*

# %% tags=["predict"]
predict("terminated-child", ["it is TERMINATED, too", "it stays RUNNING", "it is COMPLETED"])

# %% tags=["run"]
def end(name, recursive):
    start(name)
    client.terminate_workflow(name, recursive=recursive)
    child = f"approval-{name}"
    return lab.run(name).settle(), lab.run(child).settle(5 if recursive else 1)


both, alone = end("family", True), end("parent-only", False)
print("recursive:    ", *both)
print("not recursive:", *alone)
words = {"TERMINATED": "it is TERMINATED, too", "RUNNING": "it stays RUNNING"}
observe("terminated-child", words.get(both[1], f"it is {both[1]}"))

# %% tags=["look"]
import grpc

for name in ("family", "parent-only"):
    try:
        client.purge_workflow(name)
        print(name, "is removed, with its child")
    except grpc.RpcError as problem:
        print(name, "is not removed:", problem.details().rpartition(": ")[2])

# %% [markdown] tags=["explain"]
# `terminate` and `purge` follow the children into their apps, unless you say `recursive=False`. What still runs cannot be purged: the approval of `parent-only` keeps both histories from being removed.

# %% [markdown] tags=["predict"]
# ## Second way out: keep the old path
#
# `ctx.is_patched("no-reserve")` is False for an instance that was already past this place in the code at the release, and True for a new one. The new code calls `reserve` only where it is False. *Who reserves: the waiting `o-2`, a new `o-3`, or both?*

# %% tags=["predict"]
predict("patched", ["both reserve", "only o-2 reserves", "only o-3 reserves"])

# %% tags=["write"]
# %%workfile 05-change/orders/main.py --part 2
@wfr.workflow(name="order")
def order(ctx, order):
    yield ctx.call_activity(validate, input=order)
    if not ctx.is_patched("no-reserve"):
        yield ctx.call_activity(reserve, input=order)
    yield ctx.call_child_workflow("approval", app_id="approvals", instance_id=f"approval-{order}")
    yield ctx.call_activity(notify, input=order)


if __name__ == "__main__":
    wfr.start()
    signal.pause()

# %% tags=["run"]
print(fit(waiting))
lab.restart("orders", "worker")
start("o-3")
steps = {}
for name in ("o-2", "o-3"):
    ended = approve(name)
    steps[name] = [step.name for step in lab.run(name).history.own_steps()]
    print(name, ended, steps[name])
reserved = [name for name in steps if "reserve" in steps[name]]
words = {0: "nobody reserves", 2: "both reserve"}
observe("patched", words.get(len(reserved)) or f"only {reserved[0]} reserves")

# %% [markdown] tags=["explain"]
# The old order keeps its old path, the new one takes the new path. Keep the `if` as long as instances wait that have passed it. Dapr calls this *patching*; see [Workflow versioning](https://docs.dapr.io/developing-applications/building-blocks/workflow/workflow-versioning/), which also shows how to keep two whole versions.

# %% [markdown] tags=["change"]
# ## Change something
#
# Where may a new step stand? Below it stands at the end, and the cell after it asks whether `o-2`, as it waited before the releases, would survive that. Then move the line with "archive": above the approval, then above `validate`. Say what you expect before you run both cells again.

# %% tags=["change"]
# %%workfile 05-change/orders/main.py --part 2
@wfr.workflow(name="order")
def order(ctx, order):
    yield ctx.call_activity(validate, input=order)
    yield ctx.call_activity(reserve, input=order)
    yield ctx.call_child_workflow("approval", app_id="approvals", instance_id=f"approval-{order}")
    yield ctx.call_activity(notify, input=order)
    yield ctx.call_activity(notify, input="archive")


if __name__ == "__main__":
    wfr.start()
    signal.pause()

# %% tags=["change"]
print(fit(waiting))

# %% tags=["quiz"]
quiz("does-it-fit")

# %% [markdown] tags=["close"]
# ## What you can now do
#
# You predict what replay does with changed code, ask a recorded history before a release, keep old paths for waiting instances, and end a workflow with its children.
#
# [Claims](../docs/claims.md) you have seen: a workflow ends with its children in other apps; what was recorded is not done again.
#
# Next: lesson 06 runs a service with its own needs.

# %% tags=["close"]
lab.down()
finish("05-change-running-workflows")
