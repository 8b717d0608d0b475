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
# An order makes three things: a task is noted, two people get a mail, and a book gets an entry.
#
# - **Centralised**: one orchestrator has the whole workflow. The other apps do single steps.
# - **Domain-specific**: notification and audit each own a workflow for their domain. The orchestrator calls both as children.
# - **Gateway**: clients know one app. Behind it is a service for users, tasks, notifications and billing.
#
# You find them in `services/patterns`. Open two of the orchestrators and compare `task_processing`. The file `compare.py` beside them asks all three the same questions.

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
# A child workflow has its own history, in its owner's store. So the domain-specific architecture needs more events in total, and whoever asks "what happened to my order?" has to ask three apps. In return, the notification team sees every campaign without access to the orchestrator.
#
# ## Six faults
#
# Each fault hits one order in every architecture. In the first three, a process is killed while the first mail has been handed over and not yet noted. Then: the target is absent at first, the mail provider refuses everything, and the target is slow. *Which architecture gets the worst numbers of mails?*

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

# %% tags=["look"]
for fault, answers in results.items():
    others = [{k: v for k, v in a.items() if k != "mails"} for a in answers.values()]
    print(f"{fault:<26}", others[0], "- the same in all three:", others.count(others[0]) == 3)

# %% [markdown] tags=["explain"]
# What is lost or doubled depends on the activity, its ledger and its retry policy. These are alike, so the architecture makes no difference. A killed worker sends a third mail, because nobody had noted the first. A refused mail is lost after three attempts, and the order is COMPLETED all the same.
#
# ## While the host is away
#
# One fault has more to show. The **host**, the app whose workflow was ordered, was killed while the first mail was on its way. *How many of the two mails left before the host came back?*

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
# The campaign is a workflow of the notification service. Once it has begun, it needs nobody else until its end. In the other two, the host decides after each step what comes next, and it was not there.
#
# ## What stops when one app is away
#
# You stop one app, order, and look at what is kept meanwhile: first the host, then the notification service, then the app with the book. *The notification service is away. Where does the book get its entry nevertheless?*

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
# An absent app stops its own step and every later one. That is decided by the order of the steps, not by the architecture. Whoever wants the entry without the mails writes the entry first, or uses the rescue of lesson 09.
#
# ## Five change requests
#
# The next cell makes copies of all three, edits them for one request after another, and restarts only the apps whose files have changed. *In which architecture is the host deployed least often?*

# %% tags=["look"]
three.down()
for change in compare.changes():
    print(f"{change['name']:<10} {change['request']}")

# %% [markdown] tags=["predict"]
# Decide for each request which app it is about, before you answer. *Which host is deployed least often?*

# %% tags=["predict"]
predict("fewest", ["centralised", "domain-specific", "gateway"])

# %% tags=["run"]
folder = workspace("10")
three = compare.Three(folder)
deployed = {name: [] for name in three.benches}
for change in compare.changes():

    def deliver(bench):
        apps = bench.deliver(change, folder / bench.form.name)
        bench.order(change["name"])
        return apps, bench.wait(change["name"]), bench.does(change["name"], change["name"])

    for name, (apps, status, done) in three.ask(deliver).items():
        deployed[name] += apps
        print(f"{change['name']:<10} {name:<16} {status}, as asked: {done}; deployed: {', '.join(apps)}")

# %% tags=["run"]
hosts = {n: deployed[n].count(b.form.host) for n, b in three.benches.items()}
for name, apps in deployed.items():
    print(f"{name:<16} {len(apps)} deployments, {hosts[name]} of them of the host")
observe("fewest", min(hosts, key=hosts.get))

# %% [markdown] tags=["explain"]
# Where the steps of a domain are in its own workflow, a change in the domain stays there. Where they are in the host, the host is deployed again and again, and its waiting instances have to fit the new code: lesson 05.
#
# A change that crosses domains, such as one more person to inform, reaches the host in all three.
#
# ## The same load
#
# Twelve orders at once in each architecture:

# %% tags=["code"]
from IPython.display import SVG

loads = three.ask(lambda bench: bench.load(12))
for name, load in loads.items():
    print(f"{name:<16}", {k: v for k, v in load.items() if k != "seconds"})
SVG(compare.curve({name: load["seconds"] for name, load in loads.items()}))

# %% [markdown] tags=["predict"]
# ## Bulk
#
# `bulk_task_processing` of the centralised orchestrator lets `ml-service` judge many tasks, with at most `limit` calls under way. The Configuration of `ml-service` allows four activities at a time. You run 200 items with the limits 1, 4 and 200. *How many inferences run at the same time, at most?*

# %% tags=["predict"]
predict("at-once", ["1, 4, 200", "1, 4, 4", "4, 4, 4"])

# %% tags=["run"]
three.down()
lab = Lab(compare.HERE / "centralised", env={"INFERENCE_SECONDS": "0.02"})
lab.up("task-orchestrator-service", "ml-service", announce=False)
bulks = {limit: compare.bulk(lab, limit, 200) for limit in (1, 4, 200)}
for limit, bulk in bulks.items():
    print(f"limit {limit:>3}: {bulk['done']} done, {bulk['high']} urgent, {bulk['at_once']} at once")
observe("at-once", ", ".join(str(bulk["at_once"]) for bulk in bulks.values()))

# %% tags=["look"]
SVG(compare.curve({f"limit {limit}": bulk["seconds"] for limit, bulk in bulks.items()}))

# %% [markdown] tags=["explain"]
# The limit of the caller counts up to the limit of the target; more only waits in the runtime. The caller's limit is for this bulk alone. The target's limit holds for all callers together, so only that protects the target.
#
# ## Change something
#
# Find the smallest limit that is about as fast as 200. Change the two numbers and run the cell again.

# %% tags=["change"]
mine = {limit: compare.bulk(lab, limit, 50) for limit in (2, 3)}
print({limit: bulk["at_once"] for limit, bulk in mine.items()})
SVG(compare.curve({f"limit {limit}": bulk["seconds"] for limit, bulk in mine.items()}))

# %% [markdown] tags=["text"]
# ## The decision table
#
# Everything in this table was measured above, by you:

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
# Write it for a case that you know. One page: the case, the choice, two rows of the table that speak for it, one that speaks against it, and what would change your mind. The file stays in your folder, and the last cells keep your choice in your record.

# %% tags=["change"]
# %%workfile 10/decision.md
# Decision: an architecture for task notifications

Case: three teams, one order in ten needs a new wording or one more recipient.

Choice: domain-specific

For it: changes of a campaign are deployed by its own team. A campaign ends while the host is away.

Against it: whoever looks for an order asks three apps for the history.

We change our mind when: one team owns all services.

# %% [markdown] tags=["predict"]
# *Which architecture do you choose in your page?*

# %% tags=["predict"]
predict("choice", ["centralised", "domain-specific", "gateway"])

# %% tags=["run"]
page = (workspace("10") / "decision.md").read_text("utf-8")
parts = ("Case:", "Choice:", "For it:", "Against it:", "We change our mind when:")
print("missing:", [part for part in parts if part not in page] or "nothing")
chosen = page.partition("Choice:")[2].strip().splitlines()[:1]
observe("choice", chosen[0] if chosen else "no choice yet")

# %% tags=["quiz"]
quiz("same-losses")

# %% tags=["quiz"]
quiz("who-is-deployed")

# %% tags=["quiz"]
quiz("limit-at-both-ends")

# %% [markdown] tags=["close"]
# ## What you can now do
#
# You compare architectures by faults, load and change requests, and can defend a choice with measurements.
#
# [Claims](../docs/claims.md) you have seen: what is lost under a fault depends on the step, not on who hosts the workflow; a child workflow goes on while its parent is away; a workflow in its owner's app is changed without a deployment of its callers.
#
# Next: the exercises of this lesson.

# %% tags=["close"]
lab.down()
finish("10-three-architectures")
