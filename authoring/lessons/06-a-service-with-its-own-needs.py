# %% [markdown] tags=["opening"]
# # A service with its own needs: ML inference
#
# **You will** run a small machine learning model as an app of its own, limit how much it does at once, and send it too much. 40 minutes.
#
# **You will be able to**
#
# - give a service its own packages and its own limits
# - measure how many calls a target works on at the same time
# - predict what happens to an input that is too large, and replace it by a reference
# - name reasons for a separate app, and what you measured for each
#
# **You need** lesson 04. Three questions from earlier lessons come first: answer from memory.
#
# Words: [glossary](../docs/glossary.md).

# %% tags=["recall"]
import re
import subprocess

from labkit import Lab, copy_of_services, finish, observe, paths, predict, quiz, wait_until

quiz("does-it-fit")

# %% tags=["recall"]
quiz("shape")

# %% tags=["recall"]
quiz("reason-to-split")

# %% [markdown] tags=["story"]
# ## How urgent is a task?
#
# The data team has a model that judges this by a task's title. The model card of `ml-inference-service` says how good it is:

# %% tags=["code"]
service = paths.repo() / "services" / "ml-inference-service"
for line in (service / "MODEL.md").read_text().splitlines():
    if line.startswith(("- **Kind", "- **Quality", "- **Not")):
        print(line.replace("**", ""))

# %% [markdown] tags=["predict"]
# The model needs scikit-learn; the notification service needs FastAPI. Both run on this machine. *Which service can import which package?*

# %% tags=["predict"]
predict("imports", ["both import both", "each imports its own only", "only the model imports both"])

# %% tags=["run"]
import sys

own = service / ".venv" / "bin" / "python"
pythons = {"notification-service": sys.executable, "ml-inference-service": own}
imported = []
for app_id, python in pythons.items():
    for package in ("fastapi", "sklearn"):
        command = [python, "-c", f"import {package}"]
        if subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0:
            imported.append(f"{app_id}: {package}")
print(*imported, sep="\n")
words = {"1 1": "each imports its own only", "2 2": "both import both", "1 2": "only the model imports both"}
counts = " ".join(str(sum(i.startswith(app_id) for i in imported)) for app_id in pythons)
observe("imports", words.get(counts) or ", ".join(imported) or "neither imports any")

# %% [markdown] tags=["explain"]
# The notification service runs in the course's environment, the model in one of its own (see `services/dapr.yaml`). They never have to agree on a version.
#
# ## Ask the model
#
# The orchestrator asks it: `task_with_priority` sends a push notification only for an urgent task.

# %% tags=["code"]
lab = Lab()
lab.up("task-orchestrator-service", "notification-service", "ml-inference-service")
client = lab.client("task-orchestrator-service")


def judged(task_id, title):
    order = {"task_id": task_id, "title": title, "assignee_email": "alice@example.com"}
    order["assignee_user_id"] = "user-alice"
    client.schedule_new_workflow("task_with_priority", input=order, instance_id=task_id)
    return lab.run(task_id).wait()


# %% [markdown] tags=["predict"]
# You send two orders: "Security outage in production" and "Fix a typo in the wiki". *Which of them gets a push?*

# %% tags=["predict"]
predict("pushes", ["both", "the outage only", "the typo only"])

# %% tags=["run"]
for task_id, title in (("p-1", "Security outage in production"), ("p-2", "Fix a typo in the wiki")):
    print(task_id, judged(task_id, title).output["priority"])
pushed = " ".join(row["message"] for row in lab.ledger("notification-service", "pushes"))
words = {(1, 1): "both", (1, 0): "the outage only", (0, 1): "the typo only", (0, 0): "neither"}
display(lab.run("p-1").show())
observe("pushes", words["outage" in pushed, "typo" in pushed])

# %% [markdown] tags=["explain"]
# One workflow, three apps, one history. The caller knows a name and an app ID; it has neither the model nor its packages. The model also reports the device it used: a GPU if there is one, else the processor.
#
# ## Limit slow work
#
# Asked to explain, the model scores the text again and again, each time without one word. That is slow. Below are a caller that asks eight times at once (`wf.when_all` waits for a list of calls), a copy of the service, and a *Configuration*: a file with settings for one sidecar, here a limit. `most_at_once` returns how many inferences ran at the same time.

# %% tags=["write"]
# %%workfile 06-needs/caller/main.py
import signal

import dapr.ext.workflow as wf

ML = "ml-inference-service"
wfr = wf.WorkflowRuntime()


@wfr.workflow(name="explain_all")
def explain_all(ctx, files):
    calls = [
        ctx.call_activity("run_ml_inference", input={"file": file, "explain": True}, app_id=ML)
        for file in files
    ]
    yield wf.when_all(calls)


@wfr.workflow(name="judge")
def judge(ctx, request):
    if "mebibytes" in request:
        request = {"title": "outage! " * (request["mebibytes"] * 2**17)}
    return (yield ctx.call_activity("run_ml_inference", input=request, app_id=ML))


wfr.start()
signal.pause()

# %% tags=["write"]
# %%workfile 06-needs/limit.yaml
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata:
  name: limit
spec:
  workflow:
    maxConcurrentActivityInvocations: 2

# %% tags=["code"]
run_file = copy_of_services("06-needs", "ml-inference-service")
report = run_file.parent / "report.txt"
size = report.write_text("outage in the wiki " * 150)


def deploy(limited):
    """Start both apps; the sidecar of one of them gets the limit."""
    text = "version: 1\ncommon: {resourcesPath: components}\napps:\n"
    for app_id, python in (("caller", "python3"), ("ml-inference-service", ".venv/bin/python")):
        text += f"  - {{appID: {app_id}, appDirPath: {app_id}, command: [{python}, main.py]"
        text += ", configFilePath: ../limit.yaml}\n" if app_id == limited else "}\n"
    run_file.write_text(text)
    lab = Lab(run_file)
    lab.up(announce=False)
    return lab


# %% tags=["code"]
def most_at_once(limited):
    """Ask eight times at once; count how many inferences ran at one moment."""
    lab = deploy(limited)
    client, files = lab.client("caller"), [str(report)] * 8
    client.schedule_new_workflow("explain_all", input=files, instance_id="eight")
    print(f"limit at {limited}:", lab.run("eight").wait(120).status)
    rows = lab.ledger("ml-inference-service", "inferences")
    moments = sorted([(r["started"], 1) for r in rows] + [(r["ended"], -1) for r in rows])
    return lab, max(sum(step for _, step in moments[: i + 1]) for i in range(len(moments)))


# %% [markdown] tags=["predict"]
# You measure twice. First the sidecar of the *caller* gets this Configuration, then that of the model, which is the *target*. The caller sends eight calls at once. *How many does the model work on at the same time in each case?*

# %% tags=["predict"]
MORE = "more than 2"
pairs = ((2, MORE), (MORE, 2), (2, 2))
predict("at-once", [f"limit at the caller: {c}, at the model: {m}" for c, m in pairs])

# %% tags=["run"]
lab, most = most_at_once("caller")
of_caller = MORE if most > 2 else most
lab, most = most_at_once("ml-inference-service")
of_model = MORE if most > 2 else most
observe("at-once", f"limit at the caller: {of_caller}, at the model: {of_model}")

# %% [markdown] tags=["explain"]
# A limit acts in the sidecar of the app in which the activity runs. The other calls waited in the runtime, and none was refused. At the caller the same line limits only activities that run in the caller.
#
# ## Change something
#
# The cell below allows four at a time. Run both cells. Then write a number of your own, from 1 to 20, say how many inferences you expect at once, and run them again. Above some number it changes nothing: the caller sends only eight calls, and by default the worker of the Python SDK has as many threads as the machine has processors, plus 4.

# %% tags=["change"]
# %%workfile 06-needs/limit.yaml
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata:
  name: limit
spec:
  workflow:
    maxConcurrentActivityInvocations: 4

# %% tags=["change"]
lab, most = most_at_once("ml-inference-service")
print("at most", most, "of 8 at the same time")

# %% [markdown] tags=["predict"]
# ## Large inputs
#
# `judge` makes a text of a given size in mebibytes (MiB) and passes it to the model. You send 1, 3 and 5 MiB. The smallest completes, the largest fails. *What happens to the one of 3 MiB?*

# %% tags=["predict"]
predict("three-mib", ["COMPLETED", "FAILED, with a message", "RUNNING, without a message"])

# %% tags=["run"]
seen = {}
for size in (1, 3, 5):
    client = lab.client("caller")
    client.schedule_new_workflow("judge", input={"mebibytes": size}, instance_id=f"m-{size}")
    seen[size] = lab.run(f"m-{size}").settle(5)
    print(size, "MiB:", seen[size])
words = {"RUNNING": "RUNNING, without a message", "FAILED": "FAILED, with a message"}
observe("three-mib", words.get(seen[3], seen[3]))

# %% tags=["look"]
def too_large(app_id):
    """What the log of a sidecar reports about a message that is too large."""
    lines = lab.app(app_id).logs("sidecar").splitlines()
    line = next((line for line in lines if "larger than" in line), "")
    return re.search(r"[^:=]*larger than max[^)]*\)|$", line)[0].strip()


print(f"5 MiB, failure:\n  {lab.run('m-5').failure.message.partition(': ')[2]}")
print("3 MiB, steps in the history:", len(lab.run("m-3").history.own_steps()))
for app_id in ("caller", "ml-inference-service"):
    line = wait_until(lambda a=app_id: too_large(a), within=30, what=f"the log line of {app_id}")
    print(f"3 MiB, log of the sidecar of {app_id}:\n ", re.sub(r"\(\d+", "(…", line))

# %% [markdown] tags=["explain"]
# There are two limits. The sidecar's: a message from its worker may have 4 MiB; above that, the workflow fails and says why. The scheduler's: the input of a remote activity goes through it, and it takes 2 MiB. Between the two, the call is tried again for ever, and only the logs of the sidecars show it. Whether the second limit holds for a local activity, you have not measured.
#
# ## Send a reference
#
# So keep inputs small. Send a **reference** instead: a path or a key of a store that both apps can read.

# %% tags=["code"]
long_report = run_file.parent / "long-report.txt"
size = long_report.write_text("outage! " * (3 * 2**17))
client = lab.client("caller")
client.schedule_new_workflow("judge", input={"file": str(long_report)}, instance_id="by-file")
print(lab.run("by-file").wait(60).output["priority"])

# %% tags=["quiz"]
quiz("too-large")

# %% [markdown] tags=["predict"]
# ## A changed model
#
# Loading a model file runs code from it. Somebody adds one byte to `model.joblib`. *What does the service do at its next start?*

# %% tags=["predict"]
predict("changed-model", ["it works as before", "it ends with a message", "each call fails"])

# %% tags=["run"]
from labkit import LabError

with (run_file.parent / "ml-inference-service" / "model.joblib").open("ab") as model:
    model.write(b"!")
lab.kill("ml-inference-service", "worker")
client = lab.client("caller")
try:
    lab.up(announce=False)
    client.schedule_new_workflow("judge", input={"title": "Hello"}, instance_id="changed")
    answered = lab.run("changed").settle() == "COMPLETED"
    seen = "it works as before" if answered else "each call fails"
except LabError:
    refused = "not loaded" in lab.app("ml-inference-service").logs()
    seen = "it ends with a message" if refused else "it does not start"
observe("changed-model", seen)

# %% tags=["code"]
(run_file.parent / "ml-inference-service" / "model.joblib").write_bytes(
    (service / "model.joblib").read_bytes()
)
lab.up(announce=False)
lab.client("caller").schedule_new_workflow(
    "judge", input={"title": "Water the plants"}, instance_id="last"
)
print(lab.run("last").wait().output["priority"])

# %% [markdown] tags=["explain"]
# Before the service loads the model, it compares the hash of the file with the one in `model.sha256`. They differed, so it ended with a message. It was restarted while the caller ran on. These are reasons for a separate app:
#
# | reason | what you measured |
# |---|---|
# | packages | two environments, neither imports the other's packages |
# | hardware | nothing: a GPU would be needed by the model's app only |
# | load | a limit at the target acts, at the caller it does not |
# | trust | the app that loads the model refuses a damaged file |
# | life cycle | the model was restarted, the caller was not |

# %% tags=["quiz"]
quiz("where-the-limit")

# %% [markdown] tags=["close"]
# ## What you can now do
#
# You run a service with its own packages and limits, measure how much it does at once, and keep large data out of calls.
#
# [Claims](../docs/claims.md) you have seen: a remote activity can run where its packages are, the rest elsewhere. (The same holds for a GPU; you have not measured that.)
#
# Next: lesson 07 finds out why a call does not arrive.

# %% tags=["close"]
lab.down()
finish("06-a-service-with-its-own-needs")
