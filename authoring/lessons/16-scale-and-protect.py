# %% [markdown] tags=["opening"]
# # Scale and protect
#
# **You will** overload a mail provider, protect it with six methods, and measure before and after. 50 minutes.
#
# **You will be able to**
#
# - measure how much a worker does at once, with threads and with `async def`
# - predict what retries do to a provider that is too slow
# - compare backoff, jitter, a limit and load shedding by their curves, and place a bulkhead and a circuit breaker
# - run replicas of an app, and limit what all of them do together
#
# **You need** lessons 06 and 09. Three questions from earlier lessons come first: answer from memory.
#
# Words: [glossary](../docs/glossary.md).

# %% tags=["recall"]
import time
from concurrent.futures import ThreadPoolExecutor

from labkit import Curves, Lab, Played, copy_of_services, finish, observe, predict, quiz

quiz("where-the-limit")

# %% tags=["recall"]
quiz("same-key")

# %% tags=["recall"]
quiz("whose-counter")

# %% [markdown] tags=["story"]
# ## Sale day
#
# `order-desk` orders mails; `mail-service` sends them. The provider, here the lab's mail server, delivers three at once, each in 0.9 s; others wait in line. `mail-service` gives up after 2 s.
#
# The team has rewritten `send_mail` as `async def`:

# %% tags=["code"]
from labkit import settled, wait_until

run_file = copy_of_services("16", "order-desk", "mail-service", services="overload")
limits = run_file.parent / "mail-service" / "limits.yaml"
text = (run_file.parent / "mail-service" / "main.py").read_text()
start, end = text.index("@wfr.activity"), text.index('@wfr.activity(name="count_mails")')
print(text[start:end].rstrip())

# %% tags=["code"]
def started(limit="", replicas=1, held=False):
    """Return a new lab; where the provider holds all mails, nobody gives up."""
    limits.write_text(f"{limits.read_text().partition('spec:')[0]}spec:\n  workflow: {{{limit}}}\n")
    env = {"GIVE_UP_SECONDS": "600" if held else "2"}
    lab = Lab(run_file, replicas={"mail-service": replicas}, env=env)
    lab.up(announce=False)
    lab.mail_server.limit(at_once=0 if held else 3, seconds=0.9)
    return lab


def ask(name, count, workflow="order", **given):
    """Order so many mails at once; return the instance IDs."""
    start, ids = lab.client("order-desk").schedule_new_workflow, [f"{name}-{n}" for n in range(count)]
    orders = [{"to": f"{id}@example.com", **given} for id in ids]
    return list(ThreadPoolExecutor(8).map(lambda id, o: start(workflow, input=o, instance_id=id), ids, orders))

# %% tags=["code"]
def rush(name, workflow="order", **given):
    """Order 20 mails at once; return what happened, in words."""
    began = time.time()
    runs = [lab.run(id).wait(300) for id in ask("rush", 20, workflow, **given)]
    wait_until(lambda: lab.mail_server.waiting() == 0, 300)
    ends = ["refused" if "later" in str(run.output) else run.status for run in runs]
    played.append(Played(name, tuple(lab.mail_server.tries()), tuple(ends), began))
    mails = played[-1].mails
    few = "20" if mails == 20 else "fewer than 20" if mails < 20 else "more than 20"
    return f"{few} mails, {'some orders fail' if 'FAILED' in ends else 'no order fails'}"


played = []

# %% [markdown] tags=["predict"]
# ## Threads and `async def`
#
# The worker of `mail-service` has a pool of 4 threads. The provider holds every mail, and you order 12, first through `send_mail`, then through `send_mail_async`. *How many of them are at the provider at the same time?*

# %% tags=["predict"]
predict("threads", ["def: 4, async def: 4", "def: 4, async def: 12", "def: 12, async def: 12"])

# %% tags=["run"]
def at_provider():
    """How many mails are at the provider, once no more come."""
    wait_until(lambda: lab.mail_server.waiting(), 60)
    return settled(lab.mail_server.waiting, quiet=3, within=120)


counts = []
for activity in ("send_mail", "send_mail_async"):
    lab = started(held=True)
    ask("threads", 12, activity=activity)
    counts.append(at_provider())
observe("threads", f"def: {counts[0]}, async def: {counts[1]}")

# %% [markdown] tags=["explain"]
# A `def` activity occupies a thread of the worker until it returns; by default there are four more threads than processors. Nobody had planned it, but the pool protected the provider. `async def` waits without a thread: up to 100 calls for each processor, unless the runtime gets `maximum_concurrent_activity_work_items`.
#
# ## The storm
#
# 20 orders come at once, through `send_mail_async`. Each is tried up to three times, with a pause of 0.1 s after a failure. The provider needs more than 6 s for 20 mails. *How many mails does it get, and how do the orders end?*

# %% tags=["predict"]
answers = ["20 mails, no order fails", "more than 20 mails, no order fails", "more than 20 mails, some orders fail"]
predict("storm", answers)

# %% tags=["run"]
lab = started()
observe("storm", rush("no protection", attempts=3))

# %% [markdown] tags=["explain"]
# A **retry storm**. A call that is given up is not taken back: its mail still stands in the provider's line, and the next try stands behind it. The line grows although no new order comes, and the provider works for callers who have left. Customers whose order "failed" got up to three mails.
#
# ## Backoff
#
# Now the pauses grow: 1, 2, then 4 s, and each order has ten tries. *What does that change?*

# %% tags=["predict"]
predict("backoff", answers)

# %% tags=["run"]
pauses = {"attempts": 10, "first": 1.0, "factor": 2.0, "longest": 4.0}
lab = started()
seen = rush("backoff", **pauses)
lab = started()
print("with jitter:", rush("backoff and jitter", "order_with_jitter", **pauses))
observe("backoff", seen)

# %% [markdown] tags=["explain"]
# Longer pauses and more tries give the line time to empty, so that every order succeeds in the end. They do not prevent the first wave, and what failed together comes back together. Jitter, pauses of different length, is meant to pull the later waves apart; with 20 orders it changes little, as the table further down shows. A retry policy of the SDK has none; `order_with_jitter` draws its pauses in workflow code, with the instance ID as seed, so that a replay draws the same.
#
# ## A limit where the work is done
#
# The provider does three at once, so no more should reach it. The Configuration of `mail-service` gets a line:

# %% tags=["look"]
LIMIT = "maxConcurrentActivityInvocations: 3"
lab = started(LIMIT)
print(limits.read_text())
print(rush("limit at the target", attempts=3))

# %% [markdown] tags=["explain"]
# The other calls wait in the runtime; their 2 s begin when they start.
#
# ## Two replicas
#
# Each **replica** of an app has its own sidecar and service. Both read the limit; the provider holds all mails of 30 orders. *How many at once?*

# %% tags=["predict"]
predict("replicas", ["3", "6", "30"])

# %% tags=["run"]
lab = started(LIMIT, replicas=2, held=True)
ask("replicas", 30)
observe("replicas", str(at_provider()))

# %% [markdown] tags=["explain"]
# Each sidecar counts for itself. `globalMaxConcurrentActivityInvocations` counts over all replicas.
#
# ## Help that comes later
#
# Three mails are held, 21 wait. `lab.scale` starts a second replica, then the provider recovers. *Does the new replica do some of the work that waited, with each limit?*

# %% tags=["predict"]
predict("new-replica", ["each sidecar: some, over all: some", "each sidecar: none, over all: some", "each sidecar: none, over all: none"])

# %% tags=["code"]
def queue():
    """How much work waits in the scheduler for a place."""
    lines = lab.scheduler_metrics().splitlines()
    found = [line for line in lines if line.startswith("dapr_scheduler_concurrency_pending{")]
    return sum(int(float(line.split()[-1])) for line in found)


EACH_SIDECAR, OVER_ALL = LIMIT, "globalMaxConcurrentActivityInvocations: 3"
helped = []

# %% tags=["run"]
for limit in (EACH_SIDECAR, OVER_ALL):
    lab = started(limit, held=True)
    ids = ask("scale", 24)
    print(at_provider(), "at the provider,", queue(), "wait in the scheduler")
    lab.scale("mail-service", 2, announce=False)
    lab.mail_server.recover()
    print("all orders:", *{lab.run(id).wait(180).status for id in ids})
    new = lab.app("mail-service#2").metrics()
    helped.append("some" if "workflow_activity_execution_count{" in new else "none")
observe("new-replica", f"each sidecar: {helped[0]}, over all: {helped[1]}")

# %% [markdown] tags=["explain"]
# With a limit for each sidecar, work waits in the sidecar that already has it: no metric shows it, and a new replica gets none of it. With a limit over all replicas, work waits in the scheduler, which reports the length of the queue. A new replica takes its share; the total stays at three until you raise the limit.
#
# ## A bulkhead
#
# `count_mails` is quick work of the same app and needs no provider. Three held mails fill the global limit of 3. Then the limit is moved to the name `send_mail_async`. *Does the quick work get through, before and after?*

# %% tags=["predict"]
predict("bulkhead", ["waits, waits", "waits, done", "done, done"])

# %% tags=["run"]
def quick_work():
    """Ask for quick work while mails are held; say whether it is done."""
    ask("slow", 6)
    at_provider()
    lab.client("order-desk").schedule_new_workflow("count", input=["a"], instance_id="quick")
    return "done" if lab.run("quick").settle(3) == "COMPLETED" else "waits"


lab = started(OVER_ALL, held=True)
before = quick_work()
lab = started("activityConcurrencyLimits: [{name: send_mail_async, maxConcurrent: 3}]", held=True)
observe("bulkhead", f"{before}, {quick_work()}")

# %% [markdown] tags=["explain"]
# A **bulkhead** keeps slow work from taking all places.
#
# ## Refuse at the door
#
# `order_if_there_is_room` takes one of six places, or refuses the order at once: load shedding. Compare all runs. Which sends one mail for each order, and loses none?

# %% tags=["look", "nbval-ignore-output"] reason="measured times and counts"
lab = started()
rush("load shedding", "order_if_there_is_room", most=6)
picture = Curves(played, at_once=3)
print(picture.table())
picture

# %% [markdown] tags=["predict"]
# Only the limit at the target does both.
#
# ## The provider is down
#
# It refuses every mail now. Ten orders make 30 tries. The next file is a **circuit breaker**, which should stop calls after two failures. *How many reach the provider?*

# %% tags=["predict"]
predict("resiliency", ["2", "10", "30"])

# %% tags=["write"]
# %%workfile 16/components/resiliency.yaml
apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata:
  name: protect
spec:
  policies:
    circuitBreakers:
      soon: {maxRequests: 1, timeout: 60s, trip: consecutiveFailures >= 2}
  targets:
    apps:
      mail-service: {circuitBreaker: soon}

# %% tags=["run"]
lab = started()
lab.mail_server.refuse()
ends = {lab.run(id).wait(180).status for id in ask("down", 10, attempts=3)}
print("policy loaded:", "protect" in lab.app("order-desk").logs("sidecar"), "- orders:", *ends)
observe("resiliency", str(len(lab.mail_server.refused())))

# %% [markdown] tags=["explain"]
# The runtime calls activities itself, and asks no policy; Resiliency acts on service invocation. Put the breaker where several calls are seen: into a workflow or activity. `order_all` rests after three failures in a row, then tries one mail; the provider hears of no other:

# %% tags=["look"]
text = (run_file.parent / "order-desk" / "main.py").read_text()
print(text[text.index("def order_all") :].partition("\n\n\n")[0])
before = len(lab.mail_server.refused())
given = {"recipients": [f"b-{n}@example.com" for n in range(10)], "rest": 1}
lab.client("order-desk").schedule_new_workflow("order_all", input=given, instance_id="all")
wait_until(lambda: len(lab.mail_server.refused()) - before >= 5, 60)
lab.mail_server.recover()
print(lab.run("all").wait(60).output, "mails sent;", end=" ")
print("refused:", *sorted({to.split("@")[0] for to in lab.mail_server.refused()[before:]}))

# %% tags=["quiz"]
quiz("breaker-place")

# %% [markdown] tags=["close"]
# ## What you can now do
#
# You measure an overload and put each protection where it acts.
#
# [Claims](../docs/claims.md) you have seen: a retry policy does not protect an overwhelmed app.
#
# Next: the exercises of this lesson; then lesson 17 changes a system while it runs.

# %% tags=["close"]
lab.down()
finish("16-scale-and-protect")
