# %% [markdown] tags=["opening"]
# # Find out what fails when a remote app fails
#
# **You will** let a remote activity raise, refuse, be slow, be killed and be missing, call an app that is absent, and build a table of what your workflow sees. 45 minutes.
#
# **You will be able to**
#
# - predict which failures a retry policy and an `except` ever see
# - measure the attempts of a call
# - build a fallback that also works for an app that is absent
#
# **You need** lesson 04.
#
# Words: [glossary](../docs/glossary.md).
#
# First, three questions from earlier lessons, from memory.

# %% tags=["recall"]
from labkit import Lab, finish, observe, predict, quiz, wait_until, workspace

quiz("parent-killed")

# %% tags=["recall"]
quiz("same-key")

# %% tags=["recall"]
quiz("not-knowable")

# %% [markdown] tags=["story"]
# ## Measure it
#
# The lesson [Multi-App Workflows](https://agentfactory.panaversity.org/docs/Deploying-Agent-Factories-in-the-Cloud/dapr-actors-workflows/multi-app-workflows) of the Agent Factory book has a table: "service unavailable: retry with backoff; activity not found: immediate error". You will build your own table, by measuring. Your caller has a **retry policy** and an `except`:

# %% tags=["write"]
# %%workfile 09/caller/main.py --part 1
import signal
from datetime import timedelta

import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()
POLICY = wf.RetryPolicy(
    first_retry_interval=timedelta(seconds=1), max_number_of_attempts=3, backoff_coefficient=2.0
)


def serve():
    wfr.start()
    signal.pause()


@wfr.activity(name="note")
def note(ctx, given):
    print(given, flush=True)


@wfr.workflow(name="attempt")
def attempt(ctx, given):
    """Call with a retry policy, and fall back."""
    yield ctx.call_activity(note, input="started")
    try:
        yield ctx.call_activity(given["activity"], app_id=given["app"], retry_policy=POLICY)
    except Exception as failure:
        return f"fell back: {failure.details.error_type}"
    return "answered"

# %% tags=["write"]
# %%workfile 09/target/main.py
"""The target of the calls. It has two app IDs: `target`, and `late`, which you start last."""

import signal
import time

import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()


def serve():
    wfr.start()
    signal.pause()


class NonRetryableError(Exception):
    """The SDK recognises this error by the name of its class."""


@wfr.activity(name="raises")
def raises(ctx):
    raise RuntimeError("the mail server is down")


@wfr.activity(name="refuses")
def refuses(ctx):
    raise NonRetryableError("there is no such address")


@wfr.activity(name="slow")
def slow(ctx):
    print("slow started", flush=True)
    time.sleep(4)

# %% tags=["write"]
# %%workfile 09/dapr.yaml
version: 1
common:
  resourcesPath: components
apps:
  - appID: caller
    appDirPath: caller
    command: ["python3", "-c", "import main; main.serve()"]
  - appID: target
    appDirPath: target
    command: ["python3", "-c", "import main; main.serve()"]
  - appID: late
    appDirPath: target
    command: ["python3", "-c", "import main; main.serve()"]

# %% tags=["code"]
lab = Lab(workspace("09") / "dapr.yaml")
lab.up("caller", "target")
client = lab.client("caller")


def case(workflow, activity, app="target", within=12):
    name, given = f"{workflow}-{activity}-{app}", {"activity": activity, "app": app}
    client.schedule_new_workflow(workflow, input=given, instance_id=name)
    return lab.run(name).settle(within), lab.run(name)


def starts(run, activity):
    began = [step.began for step in run.history.steps() if step.name == activity]
    return [round((moment - began[0]).total_seconds()) for moment in began]

# %% [markdown] tags=["predict"]
# ## A remote activity raises
#
# The policy allows three attempts. The first pause is one second, the next is twice as long. *When do the attempts start, counted from the first?*

# %% tags=["predict"]
predict("attempt-times", ["0, 1, 2 s", "0, 1, 3 s", "0, 2, 4 s"])

# %% tags=["run"]
status, run = case("attempt", "raises")
print(status, "-", run.output)
display(run.show())
observe("attempt-times", ", ".join(map(str, starts(run, "raises"))) + " s")

# %% [markdown] tags=["explain"]
# A raised error comes back as a recorded failure, and the policy counts it. After the third attempt, `except` runs.
#
# ## Refused, and not registered
#
# `refuses` raises a `NonRetryableError`. `missing` is a name that `target` has not registered. *How many attempts does each get?*

# %% tags=["predict"]
predict(
    "attempts", ["refuses 3, missing 3", "refuses 1, missing 3", "refuses 1, missing 1"]
)

# %% tags=["run"]
counts = []
for activity in ("refuses", "missing"):
    status, run = case("attempt", activity)
    counts.append(f"{activity} {len(starts(run, activity))}")
    print(f"{activity:<8} {status} - {run.output}")
observe("attempts", ", ".join(counts))

# %% [markdown] tags=["explain"]
# An error class called `NonRetryableError` ends the attempts at once: the SDK compares names. A missing name is a failure like any other, so the policy tries it again, although that cannot help.
#
# > [Multi-App Workflows](https://agentfactory.panaversity.org/docs/Deploying-Agent-Factories-in-the-Cloud/dapr-actors-workflows/multi-app-workflows) says: activity not found is an immediate error, not a retry. On 1.18.1 it is a failure, and a retry policy tries it again.

# %% [markdown] tags=["predict"]
# ## Absent, and killed
#
# You run `attempt` twice more. First with `late`, which is not running. Then with `target`, which you kill while it works on `slow` and start again. *How do the two end?*

# %% tags=["predict"]
predict(
    "gone",
    [f"absent {a}, killed {k}" for a in ("fell back", "waits") for k in ("fell back", "answered")],
)

# %% tags=["run"]
_, absent = case("attempt", "raises", app="late", within=8)
print("absent:", absent.status, "- steps in the history:", [s.name for s in absent.history.steps()])

_, killed = case("attempt", "slow", within=0)
wait_until(lambda: "slow started" in lab.app("target").logs(), 30)
wait_until(lambda: "slow" in [s.name for s in killed.history.steps()], 30)
lab.kill("target", "worker")
lab.up("target", announce=False)
killed.wait()
print("killed:", killed.status, "- slow started", lab.app("target").logs().count("slow started"), "times")
ends = [(run.output or "waits").split(":")[0] for run in (absent, killed)]
observe("gone", f"absent {ends[0]}, killed {ends[1]}")

# %% [markdown] tags=["explain"]
# Absent: the runtime tries to hand over the call until the app is there. Killed: it hands the call over again. Neither is a failure, so neither the policy nor `except` is used.
#
# > [Multi Application Workflows](https://docs.dapr.io/developing-applications/building-blocks/workflow/workflow-multi-app/) in Dapr's documentation says: if the target application does not exist, the call is retried with the given retry policy. On 1.18.1 the policy is not consulted.
#
# ## Give up after two seconds
#
# The next part of the caller lets the call race with a timer.

# %% tags=["write"]
# %%workfile 09/caller/main.py --part 2
@wfr.workflow(name="race")
def race(ctx, given):
    """Let the call race with a timer."""
    yield ctx.call_activity(note, input="started")
    call = ctx.call_activity(given["activity"], app_id=given["app"])
    winner = yield wf.when_any([call, ctx.create_timer(timedelta(seconds=2))])
    return "answered" if winner is call else "gave up"

# %% [markdown] tags=["predict"]
# You run `race` twice: with `target`, where `slow` takes four seconds, and with `late`, which is still absent. *In which case does it give up in time?*

# %% tags=["predict"]
predict("race", ["slow and absent", "slow only", "absent only"])

# %% tags=["run"]
lab.restart("caller")
slow, slow_run = case("race", "slow")
absent, absent_run = case("race", "slow", app="late", within=8)
print("slow:", slow, " absent:", absent)
runs = {"slow": slow_run, "absent": absent_run}
gave_up = [name for name, run in runs.items() if run.output == "gave up"]
observe("race", " and ".join(gave_up) + {0: "neither", 1: " only", 2: ""}[len(gave_up)])

# %% [markdown] tags=["explain"]
# The call to the slow app was handed over and recorded, so the timer can win. With the absent app the timer fires as well, but Dapr saves the progress of the workflow only together with its open call, and this call cannot be handed over.
#
# ## Four more ideas
#
# - `watched` lets the call race with an event, which you raise
# - the `attempt` that waits for `late` is terminated
# - `hands_off` starts a second workflow for the call
# - `by_http` calls `late` by HTTP, through the sidecar: **service invocation**

# %% tags=["write"]
# %%workfile 09/caller/main.py --part 3
from dapr.clients import DaprClient


@wfr.workflow(name="watched")
def watched(ctx, given):
    """Let the call race with an event."""
    yield ctx.call_activity(note, input="started")
    call = ctx.call_activity(given["activity"], app_id=given["app"])
    winner = yield wf.when_any([call, ctx.wait_for_external_event("give-up")])
    return "answered" if winner is call else "gave up"


@wfr.workflow(name="hands_off")
def hands_off(ctx, given):
    """Let an activity start a workflow of its own for the call."""
    yield ctx.call_activity(start_another, input=given)
    return "handed off"


@wfr.activity(name="start_another")
def start_another(ctx, given):
    wf.DaprWorkflowClient().schedule_new_workflow(attempt, input=given)


@wfr.workflow(name="by_http")
def by_http(ctx, given):
    """Let an activity call the app by HTTP, through the sidecar."""
    try:
        yield ctx.call_activity(call_by_http, input=given, retry_policy=POLICY)
    except Exception as failure:
        return f"fell back: {failure.details.error_type}"
    return "answered"


@wfr.activity(name="call_by_http")
def call_by_http(ctx, given):
    with DaprClient() as dapr:
        dapr.invoke_method(f"{given['app']}-http", given["activity"], data=b"", http_verb="POST")

# %% tags=["write"]
# %%workfile 09/components/late-http.yaml
# The address of `late` for service invocation. Nobody listens there.
apiVersion: dapr.io/v1alpha1
kind: HTTPEndpoint
metadata:
  name: late-http
spec:
  baseUrl: http://127.0.0.1:1

# %% [markdown] tags=["predict"]
# *How many of these four workflows end while `late` is absent?*

# %% tags=["predict"]
predict("ideas", ["none", "one", "two", "three", "all four"])

# %% tags=["run"]
lab.restart("caller")
case("watched", "slow", app="late", within=3)
client.raise_workflow_event("watched-slow-late", "give-up")
client.terminate_workflow("attempt-raises-late")
ends = {
    "watched": lab.run("watched-slow-late").settle(10),
    "terminated": lab.run("attempt-raises-late").settle(10),
    "hands_off": case("hands_off", "slow", app="late")[0],
    "by_http": case("by_http", "mail", app="late")[0],
}
print(ends)
print("by_http tried", len(starts(lab.run("by_http-mail-late"), "call_by_http")), "times")
ended = sum(status != "RUNNING" for status in ends.values())
observe("ideas", ["none", "one", "two", "three", "all four"][ended])

# %% [markdown] tags=["explain"]
# An event or a termination makes the runtime load the workflow again, which frees it. But somebody has to send the event or terminate the workflow. A separate workflow needs nobody, but its result never comes back to the parent.
#
# A call by HTTP fails: an ordinary failure, with attempts and a fallback. Its price is that of lesson 01: nobody keeps the call for `late`.
#
# ## The table, measured
#
# Now you start `late`. Only then does the last row end.

# %% tags=["look"]
lab.up("late", announce=False)
cases = {
    "raises": "attempt-raises-target",
    "refuses": "attempt-refuses-target",
    "name not registered": "attempt-missing-target",
    "killed while it works": "attempt-slow-target",
    "slow, raced": "race-slow-target",
    "absent, by HTTP": "by_http-mail-late",
    "absent, with an event": "watched-slow-late",
    "absent, handed off": "hands_off-slow-late",
    "absent, raced": "race-slow-late",
}
for what, name in cases.items():
    print(f"{what:<22} {lab.run(name).wait().output}")

# %% [markdown] tags=["predict"]
# ## A rescue
#
# `task_with_fallback` puts each risky call into a child workflow of its *own* app and races it with a timer of three seconds. You start `notification-service` only after the parent has ended. *What status do the children have some seconds after that start?*

# %% tags=["predict"]
predict("child-after-rescue", ["COMPLETED", "FAILED", "RUNNING", "TERMINATED"])

# %% tags=["run"]
lab = Lab()
lab.up("task-orchestrator-service", announce=False)
order = {"task_id": "t-7", "title": "Review PR", "assignee_user_id": "user-alice"}
order["assignee_email"] = "alice@example.com"
client = lab.client("task-orchestrator-service")
client.schedule_new_workflow("task_with_fallback", input=order, instance_id="alone")
run = lab.run("alone").wait()
print(run.status, [(n["channel"], n["sent"]) for n in run.output["notifications_sent"]])
children = [lab.run(child.instance_id) for child in run.history.children]
print("children:", {child.status for child in children})
lab.up("notification-service", announce=False)
ends = {child.settle(10) for child in children}
print("then:", ends, "mails:", len(lab.inbox))
display(run.show())
observe("child-after-rescue", " and ".join(sorted(ends)))

# %% [markdown] tags=["explain"]
# The children wait, so the parent does not have to. (It ended first, so the swimlane shows them as running.) This is **graceful degradation**: the mail follows when it can. Where it must not follow, terminate the child. `attempt_notification` in `services/task-orchestrator-service/main.py` is the whole pattern.

# %% tags=["quiz"]
quiz("except")

# %% tags=["quiz"]
quiz("rescue")

# %% [markdown] tags=["close"]
# ## What you can now do
#
# You know which failures reach your code, and have a fallback for those that do not.
#
# [Claims](../docs/claims.md) you have seen: retry policies see recorded failures only; a missing name is retried; a call to an absent app waits until the app is there; a local child raced with a timer is a rescue.
#
# Next: design with these calls: three architectures, measured.

# %% tags=["close"]
lab.down()
finish("09-when-a-remote-app-fails")
