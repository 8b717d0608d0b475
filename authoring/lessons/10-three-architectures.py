# %% [markdown] tags=["opening"]
# # Choose an architecture by measuring three
#
# **You will** run one business case in three architectures, break each in the same six ways, order five changes, and write down which one you would choose. 45 minutes.
#
# **You will be able to**
#
# - measure three architectures with the same faults, load and change requests
# - predict which apps must be deployed for a change request
# - limit a bulk, and locate where the limit has an effect
# - defend an architecture with a table of your own measurements
#
# **You need** lessons 04, 06 and 09. Three questions from them come first: answer from memory.
#
# Words: [glossary](../docs/glossary.md).

# %% tags=["recall"]
import sys

from labkit import Lab, finish, observe, paths, predict, quiz, workspace

quiz("whose-history")

# %% tags=["recall"]
quiz("where-the-limit")

# %% tags=["recall"]
quiz("rescue")

# %% [markdown] tags=["story"]
# ## One case, three architectures
#
# An order does three things: it notes a task, sends a mail to two people, and writes an entry into a ledger, here called *the book*. The lesson [Multi-App Workflows](https://agentfactory.panaversity.org/docs/Deploying-Agent-Factories-in-the-Cloud/dapr-actors-workflows/multi-app-workflows) of the Agent Factory book names three architectures for this:
#
# - **centralised**: one orchestrator has the whole workflow, the others do single steps
# - **domain-specific**: notification and audit each own a workflow, called as a child
# - **gateway**: clients know one app; behind it are users, tasks, notifications and billing
#
# You find them in `services/patterns`. Open the orchestrators of the first two and compare `task_processing`. The file `compare.py` asks all three the same questions.

# %% tags=["code"]
sys.path.insert(0, str(paths.repo() / "services" / "patterns"))
import compare

three = compare.Three(SLOW_SECONDS="1")


def placed(bench):
    bench.order("first")
    return bench.wait("first"), bench.kept("first")


for name, (status, kept) in three.ask(placed).items():
    print(f"{name:<16} {status}  {kept}")

# %% tags=["look"]
three.benches["domain-specific"].lab.run("first").show()

# %% [markdown] tags=["predict"]
# All three keep their promises. Each order left a history. *In which of them does one app alone store all of it?*

# %% tags=["predict"]
predict("one-history", ["centralised", "centralised and gateway", "all three"])

# %% tags=["run"]
events = three.ask(lambda bench: bench.events("first"))
for name, stored in events.items():
    print(f"{name:<16} {sum(stored.values())} events: {stored}")
alone = [name for name, stored in events.items() if len(stored) == 1]
observe("one-history", "all three" if len(alone) == 3 else " and ".join(alone))

# %% [markdown] tags=["explain"]
# A child has its own history, kept by its owner. So there are more events, and whoever looks for an order asks three apps. In return, the notification team sees its campaigns by itself.
#
# ## Six faults
#
# Each hits one order per architecture. The **host** is the app that runs the ordered workflow; the target is `notification-service`. The target's worker is killed, its sidecar is killed, the host is killed; the target is absent and comes back; its provider refuses all mails; the target is slow. The three kills come when the first mail has been handed over and not yet noted. *Which architecture is furthest from two mails per order?*

# %% tags=["predict"]
predict("worst", ["centralised", "domain-specific", "gateway", "all three are alike"])

# %% tags=["run"]
results = {fault: three.ask(lambda bench, f=fault: bench.fault(f)) for fault in compare.FAULTS}
print(f"{'mails (2 are wanted)':<26}", *three.benches)
for fault, answers in results.items():
    print(f"{fault:<26}", *(f"{a['mails']:>{len(n)}}" for n, a in answers.items()))
alike = all(len({str(a) for a in answers.values()}) == 1 for answers in results.values())
mails = {n: sum(abs(2 - r[n]["mails"]) for r in results.values()) for n in three.benches}
observe("worst", "all three are alike" if alike else max(mails, key=mails.get))

# %% [markdown] tags=["explain"]
# What is lost or doubled depends on the activity, its ledger and its retry policy, and these are the same in all three. The killed worker had noted no mail, so it sent one twice. Refused mails are given up after three attempts, and the order is completed.
#
# ## While the host is away
#
# In the third fault the host was killed with the first mail on its way. *How many mails had left before it came back?*

# %% tags=["predict"]
predict(
    "without-host",
    ["1 everywhere", "1, with domain-specific 2", "1, with gateway 2", "2 everywhere"],
)

# %% tags=["run"]
seen = {name: bench.without_host for name, bench in three.benches.items()}
print(seen)
two = [name for name, count in seen.items() if count == 2]
words = {0: "1 everywhere", 3: "2 everywhere"}
observe("without-host", words.get(len(two)) or f"1, with {' and '.join(two)} 2")

# %% [markdown] tags=["explain"]
# A campaign that has begun needs nobody else; elsewhere the host decides after each step.
#
# ## One app is away
#
# You stop one app at a time: host, notifications, keeper of the book. *In which architecture does the book get its entry without notifications?*

# %% tags=["predict"]
predict("away", ["centralised", "domain-specific", "gateway", "nowhere"])

# %% tags=["run"]
def without(bench):
    apps = (bench.form.host, compare.TARGET, bench.form.book[0])
    return [bench.away(app_id) for app_id in apps]


away = three.ask(without)
for name, (host, target, book) in away.items():
    print(f"{name:<16} no host: {host}; no notifications: {target}; no book: {book}")
entered = [name for name, (_, target, _) in away.items() if "book" in target]
observe("away", " and ".join(entered) or "nowhere")

# %% [markdown] tags=["explain"]
# An absent app stops its own step and all later ones, so the order of the steps decides what is still done. Write the entry first, or use the rescue of lesson 09.
#
# ## Five change requests
#
# 1. wording: another subject
# 2. archive: one more copy of the mails
# 3. team-lead: one more person is informed
# 4. book-first: the entry before the mails
# 5. receipt: a new step for each entry
#
# Copies of all three are edited, and only apps with newer files are restarted. *Which host is deployed least often?*

# %% tags=["predict"]
predict("fewest", ["centralised", "domain-specific", "gateway"])

# %% tags=["run"]
three.down()
folder = workspace("10")
three = compare.Three(folder)
deployed = {name: [] for name in three.benches}
for change in compare.changes():
    told = three.ask(lambda bench, c=change: bench.fulfil(c, folder / bench.form.name))
    for name, (apps, status, done) in told.items():
        deployed[name] += apps
        print(f"{change['name']:<10} {name:<16} {status}, as asked: {done}; {', '.join(apps)}")
hosts = {n: deployed[n].count(b.form.host) for n, b in three.benches.items()}
for name, apps in deployed.items():
    print(f"{name:<16} {len(apps)} deployments, {hosts[name]} of them of the host")
observe("fewest", min(hosts, key=hosts.get))

# %% [markdown] tags=["explain"]
# A change within a domain stays in the app that owns its workflow; one across domains reaches every host, and each new host has to replay the orders under way (lesson 05).
#
# ## The same load
#
# Twelve orders at once; each sends four mails by now:

# %% tags=["code"]
from IPython.display import SVG

loads = three.ask(lambda bench: bench.load(12))
for name, load in loads.items():
    print(f"{name:<16}", {k: v for k, v in load.items() if k != "seconds"})
SVG(compare.curve({name: load["seconds"] for name, load in loads.items()}))

# %% [markdown] tags=["predict"]
# This load does not decide.
#
# ## Bulk
#
# `bulk_task_processing` has at most `limit` calls under way. The Configuration of `ml-service` allows four activities at a time. You judge 200 tasks with the limits 1, 4 and 200. *How many run at once, at most?*

# %% tags=["predict"]
predict("at-once", ["1, 4, 200", "1, 4, 4", "4, 4, 4"])

# %% tags=["run"]
three.down()
lab = Lab(compare.HERE / "centralised", env={"INFERENCE_SECONDS": "0.04"})
lab.up("task-orchestrator-service", "ml-service", announce=False)
bulks = {limit: compare.bulk(lab, limit, 200) for limit in (1, 4, 200)}
for limit, bulk in bulks.items():
    print(f"limit {limit:>3}: {bulk['done']} done, {bulk['high']} urgent, {bulk['at_once']} at once")
display(SVG(compare.curve({f"limit {limit}": b["seconds"] for limit, b in bulks.items()})))
observe("at-once", ", ".join(str(bulk["at_once"]) for bulk in bulks.values()))

# %% [markdown] tags=["explain"]
# The smaller limit counts. A caller's is for this bulk alone; only the target's protects it from all callers.
#
# ## Change something
#
# This cell judges 50 tasks. Put 200 in one place, smaller limits in the other. Which smallest limit is about as fast?

# %% tags=["change"]
mine = {limit: compare.bulk(lab, limit, 50) for limit in (2, 3)}
print({limit: bulk["at_once"] for limit, bulk in mine.items()})
SVG(compare.curve({f"limit {limit}": bulk["seconds"] for limit, bulk in mine.items()}))

# %% [markdown] tags=["text"]
# ## The decision table, as you measured it

# %% tags=["look"]
rows = {
    "events of one order": {n: sum(e.values()) for n, e in events.items()},
    "apps that store them": {n: len(e) for n, e in events.items()},
    "mails too many or lost": mails,
    "mails without the host": seen,
    "deployments": {n: len(apps) for n, apps in deployed.items()},
    "of these, of the host": hosts,
    "orders kept under load": {n: load["completed"] for n, load in loads.items()},
}
print(f"{'':<24}", *rows["deployments"])
for what, values in rows.items():
    print(f"{what:<24}", *(f"{v:>{len(n)}}" for n, v in values.items()))

# %% [markdown] tags=["text"]
# ## Your decision
#
# Write one page for a case that you know: two rows of the table for your choice, one against it, and what would change your mind. It stays in your folder; the page below is an example.

# %% [markdown] tags=["predict"]
# *Which architecture will you choose?*

# %% tags=["predict"]
predict("choice", ["centralised", "domain-specific", "gateway"])

# %% tags=["change"]
# %%workfile 10/decision.md
# Decision: an architecture for task notifications

Case: three teams, one order in ten needs a new wording or one more recipient.

Choice: domain-specific

For it: changes of a campaign are deployed by its own team. A campaign ends while the host is away.

Against it: whoever looks for an order asks three apps for the history.

We change our mind when: one team owns all services.

# %% tags=["run"]
page = (workspace("10") / "decision.md").read_text("utf-8")
parts = ("Case:", "Choice:", "For it:", "Against it:", "We change our mind when:")
print("missing:", [part for part in parts if part not in page] or "nothing")
chosen = page.partition("Choice:")[2].strip().splitlines()[:1]
observe("choice", chosen[0] if chosen else "no choice yet")

# %% tags=["quiz"]
quiz("who-is-deployed")

# %% tags=["quiz"]
quiz("limit-at-both-ends")

# %% [markdown] tags=["close"]
# ## What you can now do
#
# You compare architectures by faults, load and change requests, and can defend a choice with measurements.
#
# [Claims](../docs/claims.md) you have seen: a central orchestrator is simple to debug, and is deployed for every change; workflows of domains are deployed independently, except where a change crosses domains, and are harder to debug; a gateway correlates requests, at the price of its complexity.
#
# Next: the exercises of this lesson.

# %% tags=["close"]
lab.down()
finish("10-three-architectures")
