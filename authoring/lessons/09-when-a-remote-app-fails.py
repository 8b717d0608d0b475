# %% [markdown] tags=["opening"]
# # Find out what fails when a remote app fails
#
# **You will** let a remote activity raise, refuse, be slow, be killed, be missing and be absent, and build a table of what your workflow sees. 40 minutes.
#
# **You will be able to**
#
# - predict which failures a retry policy and an `except` ever see
# - measure the attempts of a call
# - build a fallback that also works for an app that is absent
#
# **You need** lesson 04. First three questions from earlier lessons, from memory.

# %% tags=["recall"]
from labkit import Lab, finish, observe, predict, quiz, wait_until, workspace

quiz("04-parent-killed")

# %% tags=["recall"]
quiz("03-same-key")

# %% tags=["recall"]
quiz("02-not-knowable")

# %% [markdown] tags=["story"]
# ## The page says: retry with backoff
#
# A page on the web has a table: "service unavailable: retry with backoff; activity not found: immediate error; timeout: retry or fail". You will not copy it. You will measure it, with a caller that has a **retry policy**, an `except`, and several ways to give up. It has two targets. `late` is the same program as `target`, and you do not start it yet; it also has an address for HTTP, where nobody listens.

# %% tags=["write"]
# %%workfile 07-fail/caller/main.py
import signal
from datetime import timedelta

import dapr.ext.workflow as wf
from dapr.clients import DaprClient

wfr = wf.WorkflowRuntime()
POLICY = wf.RetryPolicy(
    first_retry_interval=timedelta(seconds=1), max_number_of_attempts=3, backoff_coefficient=2.0
)


@wfr.activity(name="note")
def note(ctx, given):
    print(given, flush=True)


@wfr.workflow(name="attempt")
def attempt(ctx, given):
    """Call with a retry policy, and fall back."""
    yield ctx.call_activity(note, input="begun")
    try:
        yield ctx.call_activity(given["activity"], app_id=given["app"], retry_policy=POLICY)
    except Exception as failure:
        return f"fell back: {failure.details.error_type}"
    return "answered"


@wfr.workflow(name="race")
def race(ctx, given):
    """Let the call race with a timer."""
    yield ctx.call_activity(note, input="begun")
    call = ctx.call_activity(given["activity"], app_id=given["app"])
    winner = yield wf.when_any([call, ctx.create_timer(timedelta(seconds=2))])
    return "answered" if winner is call else "gave up"


@wfr.workflow(name="watched")
def watched(ctx, given):
    """Let the call race with somebody who gives up."""
    yield ctx.call_activity(note, input="begun")
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


wfr.start()
signal.pause()

# %% tags=["write"]
# %%workfile 07-fail/target/main.py
import signal
import time

import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()


class NonRetryableError(Exception):
    """The SDK knows errors by the name of their class."""


@wfr.activity(name="raises")
def raises(ctx):
    raise RuntimeError("the mail server is down")


@wfr.activity(name="refuses")
def refuses(ctx):
    raise NonRetryableError("there is no such address")


@wfr.activity(name="slow")
def slow(ctx):
    print("slow begins", flush=True)
    time.sleep(4)


wfr.start()
signal.pause()

# %% tags=["write"]
# %%workfile 07-fail/dapr.yaml
version: 1
common:
  resourcesPaths: [components, addresses]
apps:
  - appID: caller
    appDirPath: caller
    command: ["python3", "main.py"]
  - appID: target
    appDirPath: target
    command: ["python3", "main.py"]
  - appID: late
    appDirPath: target
    command: ["python3", "main.py"]

# %% tags=["write"]
# %%workfile 07-fail/addresses/late-http.yaml
apiVersion: dapr.io/v1alpha1
kind: HTTPEndpoint
metadata:
  name: late-http
spec:
  baseUrl: http://127.0.0.1:1

# %% tags=["code"]
lab = Lab(workspace("07-fail") / "dapr.yaml")
lab.up("caller", "target")
client = lab.client("caller")


def case(workflow, activity, app="target", within=12):
    name = f"{workflow}-{activity}-{app}"
    client.schedule_new_workflow(
        workflow, input={"activity": activity, "app": app}, instance_id=name
    )
    return lab.run(name).settle(within), lab.run(name)


# %% [markdown] tags=["predict"]
# ## A remote activity raises
#
# The policy allows three attempts: the first after one second, doubled each time. *When do the attempts begin?*

# %% tags=["predict"]
predict("attempt-times", ["0, 1, 2 s", "0, 1, 3 s", "1, 2, 4 s"])

# %% tags=["run"]
def begins(run, activity):
    steps = [s for s in run.history.steps() if s.name == activity]
    return [round((s.began - steps[0].began).total_seconds()) for s in steps]


status, run = case("attempt", "raises")
print(status, "-", run.output)
observe("attempt-times", ", ".join(map(str, begins(run, "raises"))) + " s")

# %% tags=["look"]
run.show()

# %% [markdown] tags=["explain"]
# A thrown error comes back as a recorded failure. Then the policy counts: the first try is one of the three. After the last, `except` runs.
#
# ## Refused, and not registered
#
# Two more failures: an error named `NonRetryableError`, and a name that `target` has not registered.

# %% tags=["predict"]
predict(
    "attempts", ["refuses 3, missing 3", "refuses 1, missing 3", "refuses 1, missing 1"]
)

# %% tags=["run"]
counts = []
for activity in ("refuses", "missing"):
    status, run = case("attempt", activity)
    counts.append(f"{activity} {len(begins(run, activity))}")
    print(f"{activity:<8} {status} - {run.output}")
observe("attempts", ", ".join(counts))

# %% [markdown] tags=["explain"]
# An error class called `NonRetryableError` ends the attempts at once: the SDK compares names. A missing name is a failure like any other, so the policy tries it again, in vain.
#
# > A page says: not found is an immediate error, not a retry. On 1.18.1: a failure, which the policy tries again.

# %% [markdown] tags=["predict"]
# ## Absent, and killed
#
# `late` is not running. And `target` is killed while it works on `slow`; then you start it again. *What does `attempt` return in these two cases?*

# %% tags=["predict"]
predict("gone", ["both fall back", "absent falls back, killed answered", "RUNNING, answered"])

# %% tags=["run"]
absent, run = case("attempt", "raises", app="late", within=8)
print("absent: steps in the history", [s.name for s in run.history.steps()])

_, run = case("attempt", "slow", within=0)
wait_until(lambda: "slow begins" in lab.app("target").logs())
wait_until(lambda: "slow" in [s.name for s in run.history.steps()])
lab.kill("target", "worker")
lab.up("target", announce=False)
killed = run.wait().output
print("killed: slow began", lab.app("target").logs().count("slow begins"), "times")
observe("gone", f"{absent or run.output}, {killed}")

# %% [markdown] tags=["explain"]
# Absent: the runtime tries for ever to hand the call over. Killed: it hands the call over again. Neither is a failure, so `except` never runs.
#
# > The documentation says: an absent app is retried with the policy. On 1.18.1: the policy is never asked.

# %% [markdown] tags=["predict"]
# ## Give up after two seconds
#
# `race` lets the call race with a timer. *For which of these does it give up in time?*

# %% tags=["predict"]
predict("race", ["slow and absent", "slow only", "absent only"])

# %% tags=["run"]
slow, _ = case("race", "slow")
absent, _ = case("race", "slow", app="late", within=8)
print("slow:", slow, " absent:", absent)
gave_up = [name for name, status in (("slow", slow), ("absent", absent)) if status == "COMPLETED"]
observe("race", " and ".join(gave_up) + (" only" if len(gave_up) == 1 else ""))

# %% [markdown] tags=["explain"]
# With a slow app the call was handed over and recorded, so the timer can win. With an absent app the timer fires, too, but the turn that holds the call still cannot be saved.

# %% [markdown] tags=["predict"]
# ## Four more ideas
#
# `late` is still absent. Somebody raises an event for `watched`. Somebody terminates `attempt`. `hands_off` starts a second workflow for the mail. `by_http` calls `late` by HTTP, through the sidecar: **service invocation**. *Which of the four end?*

# %% tags=["predict"]
predict("ideas", ["all four", "the first two", "by_http only", "none"])

# %% tags=["run"]
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
print("by_http tried", len(begins(lab.run("by_http-mail-late"), "call_by_http")), "times")
observe("ideas", "all four" if "RUNNING" not in ends.values() else str(ends))

# %% [markdown] tags=["explain"]
# An event or an order to terminate makes the runtime load and save the workflow anew, so it gets free; but somebody has to watch. A separate workflow needs nobody, and its result never comes back to the parent.
#
# A call by HTTP fails: an ordinary failure, with attempts and a fallback. The price is that of lesson 01: nobody keeps the call for `late`, and an answer that is lost counts as a failure although the mail has left.
#
# ## The table, measured
#
# Now `late` is started; only then does the last row end. Compare each row with the page.

# %% tags=["look"]
lab.up("late", announce=False)
cases = {
    "raises": "attempt-raises-target",
    "refuses": "attempt-refuses-target",
    "name not registered": "attempt-missing-target",
    "killed in the middle": "attempt-slow-target",
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
# `task_with_fallback` of the task system puts each risky call into a child workflow of its *own* app, and races that child with three seconds. You run it without `notification-service`, then start that. *What becomes of the children?*

# %% tags=["predict"]
predict("child-after-rescue", ["they are gone", "they go on when the app is there", "they fail"])

# %% tags=["run"]
lab = Lab()
lab.up("task-orchestrator-service", announce=False)
order = {"task_id": "t-7", "title": "Review PR", "assignee_user_id": "user-alice"}
order["assignee_email"] = "alice@example.com"
lab.client("task-orchestrator-service").schedule_new_workflow(
    "task_with_fallback", input=order, instance_id="alone"
)
run = lab.run("alone").wait()
print(run.status, [(n["channel"], n["sent"]) for n in run.output["notifications_sent"]])
children = [lab.run(child.instance_id) for child in run.history.children]
print("children:", {child.status for child in children})
lab.up("notification-service", announce=False)
print("then:", {child.wait().status for child in children}, "mails:", len(lab.inbox))
went_on = {child.status for child in children} == {"COMPLETED"}
observe("child-after-rescue", "they go on when the app is there" if went_on else "they fail")

# %% tags=["look"]
run.show()

# %% [markdown] tags=["explain"]
# The children wait alone; the parent is free. This is **graceful degradation**: the task goes on, the mail follows when it can. Where it must not follow, terminate the child. `attempt_notification` in `services/task-orchestrator-service/main.py` is all it takes: one child, one timer, one `when_any`.

# %% tags=["quiz"]
quiz("07-except")

# %% tags=["quiz"]
quiz("07-rescue")

# %% [markdown] tags=["close"]
# ## What you can now do
#
# You know which failures reach your code, and have a fallback for those that do not.
#
# [Claims](../docs/claims.md) you have seen: retry policies see recorded failures only; a missing name is retried; a call to an absent app waits for ever; a local child raced with a timer is a rescue.
#
# Next: the exercises `try-again` and `do-not-wait-for-ever`, and the break labs `fallback-never-runs`, `helper-ends-the-workflow`, `nothing-is-retried` and `some-attempts-fail`.

# %% tags=["close"]
lab.down()
finish("09-when-a-remote-app-fails")
