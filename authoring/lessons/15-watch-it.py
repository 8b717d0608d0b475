# %% [markdown] tags=["opening"]
# # Watch it
#
# **You will** look at one run in four views, learn what each of them cannot say, and write rules that call a person when somebody is needed, and only then. 45 minutes.
#
# **You will be able to**
#
# - compare what swimlane, trace, metrics and logs say of one run
# - predict which fault a counter shows, and whose counter it is
# - write alert rules, and test them without waiting
# - show that they fire on faults, and stay silent on healthy runs
#
# **You need** lesson 09, and Prometheus: `./lab prometheus` installs it. Without it you see answers from a recorded run, marked as such. Three questions from earlier lessons come first: answer from memory.
#
# Words: [glossary](../docs/glossary.md).

# %% tags=["recall"]
from contextlib import suppress

from labkit import Lab, LabError, copy_of_services, finish, observe, predict, quiz, wait_until
from labkit.prometheus.standin import graded, played  # answers that are recorded say so

quiz("who-can-know")

# %% tags=["recall"]
quiz("when-events-are-lost")

# %% tags=["recall"]
quiz("without-a-worker")

# %% [markdown] tags=["story"]
# ## Nobody reads swimlanes at three in the morning
#
# In production thousands of orders pass, and nobody looks until a customer calls.
#
# Sidecars report two things by themselves. A **span** is a record of one piece of work: who did it, when, for how long, on whose behalf. Spans that belong together form a **trace**. A **metric** is a number that is counted all the time, over all requests. An **alert** is a question to the metrics that calls a person when its answer is yes.
#
# Tracing is switched on by a configuration, here and in production. `samplingRate: "1"` keeps every trace. The lab has a small catcher of spans, and daprd puts its address in the place of `$SPANS_HOST`.

# %% tags=["write"]
# %%workfile 15-watch/views.yaml
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata:
  name: views
spec:
  tracing:
    samplingRate: "1"
    zipkin:
      endpointAddress: http://$SPANS_HOST/api/v2/spans

# %% tags=["code"]
APPS = ("task-orchestrator-service", "notification-service", "audit-service")
run_file = copy_of_services("15-watch", *APPS)
text = run_file.read_text()
if "views.yaml" not in text:
    run_file.write_text(text.replace("common:", "common:\n  configFilePath: views.yaml", 1))
lab = Lab(run_file)
lab.up()

# %% [markdown] tags=["predict"]
# ## One order, three apps
#
# `task_with_audit` works in three apps. Each has a sidecar of its own, which reports what it did. *How many traces does one order make?*

# %% tags=["predict"]
predict("traces", ["one for all three apps", "one for each app", "one for each step"])

# %% tags=["run"]
order = {"task_id": "task-1", "title": "Review PR", "assignee_email": "alice@example.com"}
order |= {"assignee_user_id": "user-alice"}
client = lab.client("task-orchestrator-service")


def placed(workflow, instance_id):
    """Place an order; return its run."""
    client.schedule_new_workflow(workflow, input=order, instance_id=instance_id)
    return lab.run(instance_id)


trace = placed("task_with_audit", "healthy").wait().trace()
print(trace)
known = {1: "one for all three apps", 3: "one for each app", 8: "one for each step"}
observe("traces", known.get(len(trace.spans.trace_ids), "another number"))

# %% [markdown] tags=["explain"]
# Each call carries the IDs of its trace and of the span that made it, so the audit hangs below its caller.
#
# ## Four views of it
#
# A bar of the trace shows the work itself, one of the swimlane the time from call to answer.

# %% tags=["look", "nbval-ignore-output"] reason="its tables hold measured times"
lab.run("healthy").views()

# %% [markdown] tags=["predict"]
# ## Something fails
#
# The mail server is killed, and an order is placed. `send_email` raises a `ConnectionError`, and the order fails. *Which views show, by its name, that `send_email` failed?*

# %% tags=["predict"]
predict("who-says-it", [
    "all four", "swimlane and trace", "swimlane and metrics", "metrics and logs", "only swimlane",
])

# %% tags=["run"]
lab.kill("mail")
run = placed("task_processing_multi_app", "failed").wait()
steps, spans = run.history.steps(), run.trace().spans
says = {
    "swimlane": any(s.name == "send_email" and s.outcome == "failed" for s in steps),
    "trace": any(s.step == "send_email" and s.failed for s in spans),
    "metrics": "failed" in run.metrics().of("send_email").executions,
    "logs": any("send_email" in line.text for line in run.logs()),
}
print(run.trace())
print(run.metrics())
named = [view for view, said in says.items() if said]
words = {1: f"only {named[0]}", 4: "all four"}
observe("who-says-it", words.get(len(named), " and ".join(named)))

# %% [markdown] tags=["explain"]
# On 1.18.1 the span of an activity that raised looks like any other; only the workflow's own span says FAILED. The worker logs a warning, with neither the name of the activity nor the instance ID.
#
# And look whose counter it is: each app counts the activities and the workflows that it runs itself. No counter knows the two ends of a call, and none has an instance ID.

# %% [markdown] tags=["predict"]
# ## Nothing fails
#
# Now `notification-service` is stopped, and an order is placed. You know from lesson 09 that it waits. *Which counter grows while it waits?*

# %% tags=["predict"]
predict("which-counter", [
    "assign_task, failed",
    "task_processing_multi_app, failed",
    "task_processing_multi_app, recoverable",
    "none",
])

# %% tags=["run"]
def counted(run):
    """The counters of a run that say anything but success."""
    rows = run.metrics().rows
    return {f"{r.name}, {s}": n for r in rows for s, n in r.executions.items() if s != "success"}


earlier = counted(lab.run("failed"))
lab.stop("notification-service")
waiting = placed("task_processing_multi_app", "waiting")
with suppress(LabError):
    wait_until(lambda: counted(waiting).items() - earlier.items(), 60)
which = " and ".join(sorted(name for name, _ in counted(waiting).items() - earlier.items()))
lab.up(announce=False)
print("when the app is back:", waiting.wait(60).status)
observe("which-counter", which or "none")

# %% [markdown] tags=["explain"]
# An attempt that cannot call its app ends as *recoverable* and is repeated until the app can be called. No failure is counted; trace and history end before the call. The log of the caller's sidecar names the app.

# %% [markdown] tags=["text"]
# ## When is somebody needed?
#
# Not when something fails: a try may fail, and the next one succeed. Somebody is needed when an order does not go through. Three questions cover much of it:
#
# | question | metric |
# |---|---|
# | did a workflow fail? | `dapr_runtime_workflow_execution_count`, status `failed` |
# | is one stuck, tried again and again? | the same, status `recoverable` |
# | does a sidecar, placement or the scheduler not answer? | `up`, which Prometheus records for each address that it asks; it asks no service |
#
# A counter only grows, so a rule asks how much it has grown: `increase(COUNTER[1m])`.

# %% tags=["write"]
# %%workfile 15-watch/alerts.yml
groups:
- name: orders
  rules:
  - alert: OrderFailed
    expr: increase(dapr_runtime_workflow_execution_count{status="failed"}[1m]) > 0

# %% [markdown] tags=["predict"]
# A rule is code, so it is tested. `played` lets `promtool`, Prometheus' own tool, play values of a metric against it, a minute in milliseconds. `_x9 1x50` means: no value at first, and 1 from the tenth second on.
#
# Dapr makes a counter when it counts for the first time; before, there is none. *The very first failure since the sidecar's start: does `OrderFailed` fire?*

# %% tags=["predict"]
predict("first-failure", ["it fires", "it does not fire"])

# %% tags=["run"]
FAILED = 'dapr_runtime_workflow_execution_count{status="failed"}'
rules = run_file.parent / "alerts.yml"
print("from 1 to 2:", played(rules, {FAILED: "1x9 2x50"}))
first = played(rules, {FAILED: "_x9 1x50"})
print("from nothing to 1:", first)
observe("first-failure", "it fires" if first else "it does not fire", first)

# %% [markdown] tags=["explain"]
# `increase` compares two values of one counter, and here nothing came before the 1. So the first failure after each start calls nobody. `unless … offset 1m` adds the other case: a counter that is there now, and was not a minute ago.
#
# The other two rules use `for`: the answer has to stay yes for that long. A restart takes some seconds, and needs nobody.

# %% tags=["write"]
# %%workfile 15-watch/alerts.yml
groups:
- name: orders
  rules:
  - alert: OrderFailed
    expr: >
      increase(dapr_runtime_workflow_execution_count{status="failed"}[1m]) > 0
      or (dapr_runtime_workflow_execution_count{status="failed"}
      unless dapr_runtime_workflow_execution_count{status="failed"} offset 1m)
  - alert: OrderCannotGoOn
    expr: increase(dapr_runtime_workflow_execution_count{status="recoverable"}[1m]) > 0
    for: 3s
  - alert: ProgramSilent
    expr: up == 0
    for: 15s

# %% [markdown] tags=["predict"]
# ## On a running system
#
# `lab.prometheus("alerts.yml")` starts Prometheus with your rules. Then `notification-service` is stopped once more, and an order is placed. *Which of the three rules fire within a minute?*

# %% tags=["predict"]
predict("who-is-called", [
    "OrderFailed", "OrderCannotGoOn", "ProgramSilent", "OrderCannotGoOn and ProgramSilent",
])

# %% tags=["run"]
print("from nothing to 1:", played(rules, {FAILED: "_x9 1x50"}))
prometheus = lab.prometheus("alerts.yml", or_recorded=True)
# What failed before is new to Prometheus, and a minute later nobody is called for it any more.
wait_until(prometheus.alerts, 120)
wait_until(lambda: not prometheus.alerts(), 120)
lab.stop("notification-service")
placed("task_processing_multi_app", "again")
with suppress(LabError):
    wait_until(lambda: len(prometheus.firing()) > 1, 60)
called = " and ".join(prometheus.firing())
lab.up(announce=False)
print("when the app is back:", lab.run("again").wait(60).status)
display(prometheus.panel("Turns that are tried again"), prometheus.panel("Programs that answer"))
observe("who-is-called", called or "none", prometheus)

# %% [markdown] tags=["explain"]
# One cause, two alerts: orders are held up, and a sidecar does not answer. No order fails.
#
# The pictures are panels of a Grafana dashboard, each drawn from a query. [docs/views.md](../docs/views.md#dashboards) shows Dapr's dashboards, or yours.

# %% [markdown] tags=["predict"]
# ## Against faults that you know
#
# `graded` plays your rules against recordings: what Prometheus saw of ten runs. In one of them each mail takes 14 s. *What do your rules say of that run?*

# %% tags=["predict"]
predict("slow", ["silent", "fires: OrderCannotGoOn", "fires: OrderFailed", "fires: ProgramSilent"])

# %% tags=["run"]
grades = graded(rules)
for grade in grades:
    print("healthy" if grade.recording.healthy else "fault  ", grade)
observe("slow", next(g.said for g in grades if g.recording.name == "slow"), grades)

# %% [markdown] tags=["explain"]
# Nothing failed or was repeated, and every program answered. Slow is not broken, as long as nobody was promised a time.
#
# ## Change something
#
# In [alerts.yml](../learn/files/15-watch/alerts.yml) remove the line `for: 15s`, and run the cell. Which healthy run calls somebody now?

# %% tags=["change"]
print(*[grade for grade in graded(rules) if grade.recording.healthy], sep="\n")

# %% tags=["quiz"]
quiz("whose-counter")

# %% tags=["quiz"]
quiz("silent-alert")

# %% [markdown] tags=["close"]
# ## What you can now do
#
# You can ask four views of one run, and say what each leaves out; write rules that ask whether orders go through; test them in milliseconds; and show that they fire on faults only. What each view can tell stands in [docs/views.md](../docs/views.md).
#
# [Claims](../docs/claims.md) you have seen: one order over three apps is one trace; activities are counted by the app that runs them; a call that cannot be dispatched shows in one counter only.
#
# Next: the exercises of this lesson; then lesson 16 overloads a provider for real.

# %% tags=["close"]
finish("15-watch-it")
