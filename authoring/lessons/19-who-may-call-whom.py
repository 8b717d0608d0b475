# %% [markdown] tags=["opening"]
# # Who may call whom
#
# **You will** let one app do to another what nobody meant, write a policy against it, and find out what the policy needs before it lets anybody through. 40 minutes.
#
# **You will be able to**
#
# - predict what an app can do to another app of its namespace
# - build a policy that lets the wanted calls through and no others
# - locate why a policy denies: no certificate, no rule, or the wrong app sees it
# - compare what tokens, policies and scopes protect
#
# **You need** lesson 09. Three questions from earlier lessons come first: answer from memory.
#
# Words: [glossary](../docs/glossary.md).

# %% tags=["recall"]
import os

import httpx

from labkit import Lab, finish, observe, predict, quiz, wait_until, workspace
from labkit.errors import StartError

quiz("which-symptom")

# %% tags=["recall"]
quiz("who-is-deployed")

# %% tags=["recall"]
quiz("who-waits-for-the-result")

# %% [markdown] tags=["story"]
# ## Three teams, one namespace
#
# `payments` charges cards for `orders`. `reports` only counts orders: nobody has let it call `payments`. `orders` and `reports` run the same code here. `charge` also returns what it saw of its caller's history, for later.

# %% tags=["write"]
# %%workfile 19-gate/payments/main.py
import signal

import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()


@wfr.activity(name="charge")
def charge(ctx, given):
    seen = ctx.get_propagated_history()
    names = [] if seen is None else [type_of(event) for event in seen.events]
    return {"charged": given, "saw": names}


def type_of(event):
    return event.WhichOneof("eventType")


@wfr.activity(name="refund")
def refund(ctx, given):
    return {"refunded": given}


@wfr.workflow(name="settle")
def settle(ctx, given):
    return (yield ctx.call_activity(charge, input=given))


@wfr.workflow(name="hold")
def hold(ctx, given):
    return (yield ctx.wait_for_external_event("release"))


wfr.start()
signal.pause()

# %% tags=["write"]
# %%workfile 19-gate/client/main.py
import signal

import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()
TO = {"app_id": "payments"}


@wfr.workflow(name="activity")
def activity(ctx, name):
    return (yield ctx.call_activity(name, input=120, **TO))


@wfr.workflow(name="child")
def child(ctx, name):
    return (yield ctx.call_child_workflow(name, input=120, **TO))


@wfr.workflow(name="open_book")
def open_book(ctx, name):
    own = wf.PropagationScope.OWN_HISTORY
    return (yield ctx.call_activity(name, input=120, propagation=own, **TO))


wfr.start()
signal.pause()

# %% tags=["write"]
# %%workfile 19-gate/dapr.yaml
version: 1
common:
  resourcesPaths: [components, policies]
apps:
  - appID: payments
    appDirPath: payments
    command: ["python3", "main.py"]
  - appID: orders
    appDirPath: client
    command: ["python3", "main.py"]
  - appID: reports
    appDirPath: client
    command: ["python3", "main.py"]

# %% tags=["write"]
# %%workfile 19-gate/calls.py
"""What one app does to payments; each returns how that went."""

import httpx

from labkit import wait_until

END = b"*\x00"  # an event of a workflow: executionTerminated


def sidecar(app):
    return f"http://127.0.0.1:{app.ports.http}/v1.0"


def token(app):
    return {"dapr-api-token": app.shared.token}


def tried(lab, app_id, kind, name):
    """Call something from a workflow."""
    run = lab.run(lab.client(app_id).schedule_new_workflow(kind, input=name))
    if run.settle(3) == "COMPLETED":
        return "allowed"
    return "denied" if "access denied" in str(run.failure) else run.status


def ended(lab, app_id):
    """End an instance of payments that waits, without a workflow: through one's own sidecar."""
    app, run = lab.app(app_id), lab.run(lab.client("payments").schedule_new_workflow("hold"))
    wait_until(lambda: run.status == "RUNNING", 30)
    actor = f"dapr.internal.default.payments.workflow/{run.instance_id}"
    url = f"{sidecar(app)}/actors/{actor}/method/AddWorkflowEvent"
    httpx.put(url, content=END, headers=token(app), trust_env=False, timeout=30)
    return "allowed" if run.settle(2) == "TERMINATED" else "denied"

# %% tags=["code"]
import sys

folder = workspace("19-gate")
sys.path.insert(0, str(folder))
from calls import ended, sidecar, token, tried

(folder / "policies").mkdir(exist_ok=True)
for old in (folder / "policies").glob("*"):
    old.unlink()
run_file = folder / "dapr.yaml"
lab = Lab(run_file)
lab.up()

# %% [markdown] tags=["predict"]
# ## What reports can do
#
# Nobody has written a rule. `reports` calls the activity `charge` of `payments`, starts its workflow `settle`, and ends `hold`, an instance that `payments` started for itself. *Which of the three works?*

# %% tags=["predict"]
predict("open", ["nothing", "the activity", "the activity and the workflow", "all three"])

# %% tags=["run"]
found = [tried(lab, "reports", "activity", "charge"), tried(lab, "reports", "child", "settle")]
found += [ended(lab, "reports")]
print(found)
some = ["nothing", "the activity", "the activity and the workflow", "all three"]
observe("open", some[found.count("allowed")])

# %% [markdown] tags=["explain"]
# To call, an app needs the app ID and a name; to end an instance, the app ID and the instance ID ([measured](../docs/facts-access.md)). A call never leaves its namespace, but nothing inside it protects apps from each other, and without certificates each sidecar states its own namespace. The API token opens a sidecar: `reports` uses it on its own one, and that is enough.
#
# ## A policy
#
# A **WorkflowAccessPolicy** belongs to the app that is called. An app that has one takes only calls that a rule allows. `scopes` names the apps that read it.

# %% tags=["write"]
# %%workfile 19-gate/policies/payments.yaml
apiVersion: dapr.io/v1alpha1
kind: WorkflowAccessPolicy
metadata:
  name: payments
scopes: [payments]
spec:
  rules:
    - callers:
        - appID: orders
      activities:
        - name: charge
      workflows:
        - name: settle
          operations: [schedule]

# %% [markdown] tags=["predict"]
# The rule lets `orders` call `charge` and start `settle`. The sidecar reads the new file by itself. *Who can call `charge` now?*

# %% tags=["predict"]
predict("policy", ["orders, not reports", "both", "neither"])

# %% tags=["run"]
def policies(app_id):
    """Return the policies that an app has in sight."""
    return lab.app(app_id).metadata().get("workflowAccessPolicies")


wait_until(lambda: policies("payments"), 30)
found = {app_id: tried(lab, app_id, "activity", "charge") for app_id in ("orders", "reports")}
print(found)
words = {"allowed denied": "orders, not reports", "denied denied": "neither", "allowed allowed": "both"}
observe("policy", words.get(" ".join(found.values()), str(found)))

# %% [markdown] tags=["explain"]
# The rule is right, and yet both calls are denied. Anybody can write an app ID into a message; without certificates a sidecar cannot know who calls.
#
# ## Certificates
#
# With **mTLS** each sidecar shows the others a certificate with its app ID. **Sentry**, a part of the control plane, signs them. A Configuration asks for it; from the next run on, `common` in the run file names this one.

# %% tags=["write"]
# %%workfile 19-gate/mtls.yaml
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata:
  name: certificates
spec:
  mtls:
    enabled: true

# %% [markdown] tags=["predict"]
# All three have a certificate now. *Which calls are allowed: `orders` to `charge`, `orders` to `refund`, `reports` to `charge`?*

# %% tags=["predict"]
predict("certified", ["the 1st", "the 1st and the 2nd", "all three", "none"])

# %% tags=["run"]
text = run_file.read_text()
run_file.write_text(text.replace("common:\n", "common:\n  configFilePath: mtls.yaml\n"))
lab = Lab(run_file)
lab.up()
calls = [("orders", "charge"), ("orders", "refund"), ("reports", "charge")]
found = [tried(lab, app_id, "activity", name) for app_id, name in calls]
print(found)
print("orders starts settle:", tried(lab, "orders", "child", "settle"))
print("orders ends hold:", ended(lab, "orders"))
some = {"add": "the 1st", "aad": "the 1st and the 2nd", "aaa": "all three", "ddd": "none"}
observe("certified", some.get("".join(word[0] for word in found), "another answer"))

# %% [markdown] tags=["explain"]
# A rule names its callers and lists every activity, workflow and operation separately: who may start an instance may still not end it.
#
# ## The app that was forgotten
#
# `payments` and `orders` keep the Configuration; that of `reports` says `enabled: false`. *What becomes of `reports`?*

# %% tags=["predict"]
predict("stranger", ["it runs, and its calls are denied", "it is never ready", "its sidecar ends"])

# %% tags=["run"]
for_all, off = run_file.read_text(), (folder / "mtls.yaml").read_text().replace("true", "false")
(folder / "off.yaml").write_text(off)
reports = "  - appID: reports\n"
run_file.write_text(for_all.replace(reports, reports + "    configFilePath: ../off.yaml\n"))
lab = Lab(run_file)
lab.up("payments", "orders")
try:
    lab.up("reports")
    outcome = "it runs, and its calls are denied"
except StartError as problem:
    print(problem.title, "-", problem.found)
    runs = lab.app("reports").process("sidecar").is_alive
    outcome = "it is never ready" if runs else "its sidecar ends"
observe("stranger", outcome)

# %% [markdown] tags=["explain"]
# Placement and scheduler ask for certificates too.
#
# ## One line less
#
# A colleague removes the line `scopes`. `orders` starts `settle` as a child, which the rule allows. *What is the status of the parent a few seconds later?*

# %% tags=["predict"]
predict("scopes", ["COMPLETED", "FAILED", "it stays RUNNING"])

# %% tags=["run"]
run_file.write_text(for_all)
lab = Lab(run_file)
lab.up(announce=False)
policy = folder / "policies" / "payments.yaml"
scoped = policy.read_text()
policy.write_text(scoped.replace("scopes: [payments]\n", ""))
wait_until(lambda: policies("orders"), 30)
lab.client("orders").schedule_new_workflow("child", input="settle", instance_id="parent")
found = lab.run("parent").settle(3)
step = lab.run("parent").history.steps()[0]
print("the child:", lab.run(step.child_instance_id).status, "- the parent:", found)
policy.write_text(scoped)
print("with scopes again:", lab.run("parent").wait(60).status)
observe("scopes", f"it stays {found}" if found == "RUNNING" else found)

# %% [markdown] tags=["explain"]
# The child has done its work, but it cannot end. Its result comes back as a call, which the policy in sight of `orders` refuses; no rule can allow it. So both stay RUNNING, and neither history says why. Scope a policy to the apps that are *called*; `./lab preflight` finds this.
#
# ## What payments sees
#
# A call can show its caller's history to the app that is called. `open_book` asks for that with `propagation=OWN_HISTORY`, `activity` does not. The policy is still in force. *Which of them lets `charge` see the caller's history?*

# %% tags=["predict"]
predict("history", ["both", "only open_book", "neither"])

# %% tags=["run"]
def saw(kind):
    """Return what charge saw of its caller's history; "" where it was not called."""
    run = lab.run(lab.client("orders").schedule_new_workflow(kind, input="charge")).wait()
    print(kind, run.status, run.output["saw"] if run.output else run.failure.message[34:])
    return run.output["saw"] if run.output else ""


shown = tuple(kind for kind in ("activity", "open_book") if saw(kind))
policy.unlink()
wait_until(lambda: not policies("payments"), 30)
print("and without a policy:")
without = saw("open_book")
words = {(): "neither", ("open_book",): "only open_book", ("activity", "open_book"): "both"}
observe("history", words.get(shown, f"only {shown[0]}" if shown else ""))

# %% [markdown] tags=["explain"]
# The caller decides what it shows. With a policy, 1.18.1 refuses an *activity* call that shows history; child workflows get through.
#
# ## A secret
#
# Only `payments` is in the scopes of `vault`. Each app asks for `CARD_KEY`, with its token and without. *Who gets it?*

# %% tags=["predict"]
predict("vault", ["all three, with a token", "payments, with its token", "payments, in both cases"])

# %% tags=["write"]
# %%workfile 19-gate/components/vault.yaml
apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: vault
spec:
  type: secretstores.local.env
  version: v1
scopes: [payments]

# %% tags=["run"]
os.environ["CARD_KEY"] = "4242"
lab = Lab(run_file)
lab.up(announce=False)
got = []
for app in ("payments", "orders", "reports"):
    for headers in (token(lab.app(app)), {}):
        url = f"{sidecar(lab.app(app))}/secrets/vault/CARD_KEY"
        code = httpx.get(url, headers=headers, trust_env=False).status_code
        print(app, "with its token:" if headers else "without:", code)
        got += [app] * (code == 200)
words = {"payments": "payments, with its token", "payments payments": "payments, in both cases"}
words["payments orders reports"] = "all three, with a token"
observe("vault", words.get(" ".join(got), f"got it: {got}"))

# %% [markdown] tags=["explain"]
# 500: the app has no secret store of this name in sight. 401: the token is missing. Give each sidecar a token of its own.
#
# | lock | does not keep out |
# |---|---|
# | namespace | other apps in it; without mTLS, whoever states its name |
# | API token | an app with a sidecar of its own |
# | mTLS | any app with a certificate |
# | access policy | misuse of a call that a rule allows |
# | scopes of a component | misuse by an app that is in the scopes |
#
# Outside Kubernetes, sentry signs any app ID that is asked for: there a policy shows how it works, and protects nobody.

# %% tags=["quiz"]
quiz("result-refused")

# %% [markdown] tags=["close"]
# ## What you can now do
#
# You know what one app can do to another, and how certificates, a policy and scopes prevent it.
#
# [Claims](../docs/claims.md) you have seen: without a policy an app may do everything to another of its namespace; without mTLS a policy denies every other app; a policy in sight of the caller leaves a parent RUNNING.
#
# Next: write the policy in the exercises of this lesson.

# %% tags=["close"]
lab.down()
finish("19-who-may-call-whom")
