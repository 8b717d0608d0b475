# %% [markdown] tags=["opening"]
# # Debug by evidence
#
# **You will** check a message that a colleague quotes, ask a running system with `curl`, see the same questions for the Dapr CLI and `kubectl`, and then be on call for a case that nobody has opened. 45 minutes.
#
# **You will be able to**
#
# - name who can know the answer, before you ask
# - ask a running system with `curl` alone
# - diagnose a sealed case by one written procedure
# - prove a repair by more than the absence of the symptom
#
# **You need** lessons 07 to 09. Three questions from earlier lessons come first: answer from memory.
#
# Words: [glossary](../docs/glossary.md).

# %% tags=["recall"]
import json

from labkit import Lab, curl, finish, incident, observe, predict, quiz, workspace

quiz("which-symptom")

# %% tags=["recall"]
quiz("late-or-lost")

# %% tags=["recall"]
quiz("except")

# %% [markdown] tags=["story"]
# ## A line from a wiki
#
# "Activity 'process_payment' not found on app 'payment-service'." A colleague found this line in a wiki and asks what to do. First make it happen: `order-service` calls `process_payment`, and `payment-service` has registered `charge_payment`.

# %% tags=["write"]
# %%workfile 14-debug/order-service/main.py
import signal

import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()


@wfr.workflow(name="place_order")
def place_order(ctx, order):
    return (yield ctx.call_activity("process_payment", input=order, app_id="payment-service"))


wfr.start()
signal.pause()

# %% tags=["write"]
# %%workfile 14-debug/payment-service/main.py
import signal

import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()


@wfr.activity(name="charge_payment")
def charge_payment(ctx, order):
    return {"charged": order["amount"]}


wfr.start()
signal.pause()

# %% tags=["write"]
# %%workfile 14-debug/dapr.yaml
version: 1
common:
  resourcesPath: components
apps:
  - appID: order-service
    appDirPath: order-service
    command: ["python3", "main.py"]
  - appID: payment-service
    appDirPath: payment-service
    command: ["python3", "main.py"]

# %% [markdown] tags=["predict"]
# Somebody orders something. *What does the workflow report?*

# %% tags=["predict"]
SAID = {
    "not found on app": "FAILED: not found on app 'payment-service'",
    "was not registered": "FAILED: it was not registered",
    "": "no failure; it is RUNNING",
}
predict("real-message", list(SAID.values()))

# %% tags=["run"]
lab = Lab(workspace("14-debug") / "dapr.yaml")
lab.up()
lab.client("order-service").schedule_new_workflow(
    "place_order", input={"amount": 5}, instance_id="first"
)
lab.run("first").settle(6)
message = lab.run("first").failure.message if lab.run("first").failure else ""
observe("real-message", next((s for w, s in SAID.items() if w in message), message))

# %% tags=["look"]
print(message)
for step in lab.run("first").history.steps():
    print(step.name, "in", step.app_id, "-", step.failure.error_type if step.failure else "")

# %% [markdown] tags=["explain"]
# Dapr 1.18 has no message "not found on app". The real one comes from the worker of `payment-service`. So the call has arrived: app ID, namespace and placement are right. Where the app itself is not found, the workflow is RUNNING and reports no failure; the log of the caller's sidecar says which app it looks for, and placement's table shows that this app is missing, as in lesson 07.

# %% [markdown] tags=["text"]
# ## One procedure
#
# | step | you write down |
# |---|---|
# | 1 symptom | what is promised, what is seen, and where all is well |
# | 2 who can know | caller, its sidecar, placement, target, store: who has seen it? |
# | 3 hypothesis | one sentence that can be wrong |
# | 4 evidence | a question whose answer would differ if it were wrong; ask it |
# | 5 smallest fix | one change, at the cause |
# | 6 prove again | new work is as promised, and the observation of step 4 is gone |
#
# If an answer does not fit, go back to 2. A restart is not a question.

# %% [markdown] tags=["predict"]
# ## Who can know which activities there are?
#
# `curl` can ask the sidecar of `payment-service` for its metadata, and that of `order-service` for the instance; placement has a table. *Where do you find `charge_payment`, the name that is registered?*

# %% tags=["predict"]
predict("names", ["in the metadata", "in placement's table", "in the instance", "in none of them"])

# %% tags=["run"]
asked = curl(lab.app("payment-service"), "/v1.0/metadata")
instance = curl(lab.app("order-service"), "/v1.0/workflows/dapr/first")
answers = {
    "in the metadata": asked.text,
    "in placement's table": json.dumps(lab.placement_state()),
    "in the instance": instance.text,
}
where = [place for place, text in answers.items() if "charge_payment" in text]
observe("names", ", ".join(where) or "in none of them")

# %% tags=["look"]
metadata = json.loads(asked.text)
print(asked.command)
print("  workers:", metadata["workflows"]["connectedWorkers"])
print("  actor types:", *sorted(a["type"] for a in metadata["actorRuntime"]["activeActors"]))
print(instance.command)
print(" ", json.loads(instance.text)["properties"]["dapr.workflow.failure.error_message"])

# %% [markdown] tags=["explain"]
# A sidecar knows that a worker is connected, but not what it has registered, so it cannot list the names. Hypothesis: caller and target use different ones. The message, which comes from the worker, confirms it; so does the code of both apps.
#
# | question | Dapr CLI | Kubernetes |
# |---|---|---|
# | does it run? | `dapr list` | `kubectl get pods -l app=payment-service` |
# | what does the sidecar say? | `dapr logs -k -a payment-service` | `kubectl logs deploy/payment-service -c daprd` |
# | its metadata | the `curl` line | `kubectl port-forward deploy/payment-service 3500`, then the `curl` line |
# | the instance | `dapr workflow history -a order-service first` | the same with `-k` |
#
# The last two columns are as their documentation has them; they were not run here.

# %% [markdown] tags=["predict"]
# ## The smallest fix
#
# Others may call `charge_payment`, so you correct the call, and restart `order-service`. *What becomes of the order that had failed?*

# %% tags=["predict"]
ENDS = {"FAILED": "it stays FAILED", "COMPLETED": "it is COMPLETED", "RUNNING": "it runs again"}
predict("old-order", list(ENDS.values()))

# %% tags=["write"]
# %%workfile 14-debug/order-service/main.py
import signal

import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()


@wfr.workflow(name="place_order")
def place_order(ctx, order):
    return (yield ctx.call_activity("charge_payment", input=order, app_id="payment-service"))


wfr.start()
signal.pause()

# %% tags=["run"]
lab.restart("order-service", announce=False)
old = lab.run("first").settle(3)
lab.client("order-service").schedule_new_workflow(
    "place_order", input={"amount": 5}, instance_id="second"
)
print("a new order:", lab.run("second").wait().status, lab.run("second").output)
print("its steps that failed:", sum(s.failure is not None for s in lab.run("second").history.steps()))
observe("old-order", ENDS.get(old, old))

# %% [markdown] tags=["explain"]
# A failed workflow has ended; a repair does not wake it. The proof is a new order, in two halves: it is COMPLETED, and the observation that led you to the cause, a failed step, is gone. Whether the old one may be placed again depends on which of its steps were done. Here none was.

# %% [markdown] tags=["story"]
# ## A sealed case
#
# The next cell starts a system, gives it orders every few seconds, and calls you. Something is wrong, and no cell below says what. It takes about half a minute; your clock starts when it calls.

# %% tags=["code"]
lab.down()
case = incident(case="night")
print(*case.system.apps)

# %% tags=["look", "nbval-ignore-output"] reason="an alarm counts orders, and orders come by the clock"
case.page

# %% [markdown] tags=["text"]
# On paper first: which promise is broken, which is kept, and who has seen it? Then ask: change the next cell, and run it again and again. `case.ask("help")` lists the questions; `case.lab` is the lab as you know it; the files are in `learn/files/incident`.

# %% tags=["look"]
case.ask("health task-orchestrator-service")

# %% [markdown] tags=["predict"]
# When you have a hypothesis, and evidence that would differ if it were wrong: *where is the fault?*

# %% tags=["predict"]
predict(
    "where",
    [
        "a process",
        "the run file or a component",
        "code of the app that calls",
        "code of an app that is called",
    ],
)

# %% [markdown] tags=["text"]
# Add cells below this one, and then:
#
# 1. `case.places()` and `case.causes()` list what you can choose from; record your diagnosis with `case.diagnose("PLACE", "CAUSE", "the observation")`.
# 2. Repair the file in `learn/files/incident`.
# 3. `case.restart()` starts the system with your repair.
# 4. `case.verdict()` judges it.
#
# To look up a message, run `import labkit` and `labkit.atlas("the message")`.
#
# The next cell hands what is not solved to a colleague, and opens the seal.

# %% tags=["run"]
case.hand_over()
observe("where", case.where())

# %% tags=["look"]
case.answer()

# %% [markdown] tags=["explain"]
# Which of your questions had an answer that only this cause gives? `case.report()` says what you asked, and how long you took. `./lab incident` draws another case, whose report compares it with your earlier ones.

# %% tags=["quiz"]
quiz("who-can-know")

# %% tags=["quiz"]
quiz("prove-again")

# %% [markdown] tags=["close"]
# ## What you can now do
#
# You name who can know before you ask, ask with `curl` alone, and prove a repair by new work and by evidence that is gone.
#
# [Claims](../docs/claims.md) you have seen: a name that is not registered fails with a message of the target's worker; the metadata of a sidecar names no activities; an ended workflow stays as it ended.
#
# Next: two sealed cases in the [exercises](../exercises/README.md), and the [atlas](../docs/atlas.md) of symptoms.

# %% tags=["close"]
finish("14-debug-by-evidence")
