# %% [markdown] tags=["opening"]
# # Change it while it runs
#
# **You will** keep 50 orders in flight over three apps, test a release against their histories, roll one back, change what two apps say to each other, and clear what has ended. 45 minutes.
#
# **You will be able to**
#
# - build tests of a workflow from recorded histories and from runs in process
# - predict which instances a release, and its rollback, leave stalled or failed
# - change the contract of an activity in an order that loses no call
# - measure what ended instances cost, and remove them with their children
#
# **You need** lesson 05. Three questions from earlier lessons come first: answer from memory.
#
# Words: [glossary](../docs/glossary.md).

# %% tags=["recall"]
from labkit import Lab, copy_of_services, finish, observe, predict, quiz

quiz("does-it-fit")

# %% tags=["recall"]
quiz("breaker-place")

# %% tags=["recall"]
quiz("whose-history")

# %% [markdown] tags=["story"]
# ## Never a quiet moment
#
# An order is checked, approved by a person in another app, and charged in a third. Orders are **in flight** at any moment: begun, not ended. A release meets them wherever they stand.

# %% tags=["code"]
from labkit import paths
from labkit.workfiles import save

folder = copy_of_services("17", "orders", "approvals", "payments", services="in-flight").parent


def write(app, *changes):
    """Write the program of an app as it was, with changes: pairs of old and new text."""
    text = (paths.repo() / "services" / "in-flight" / app / "main.py").read_text()
    for old, new in changes:
        text = text.replace(old, new)
    return save(f"17/{app}/main.py", text)


# %% tags=["code"]
print(write("orders"), write("payments"), sep="\n")
text = (folder / "orders" / "main.py").read_text()
print(text[text.index("@wfr.workflow") :].partition("\n\n\n")[0])

# %% [markdown] tags=["text"]
# Half of 50 orders wait for their approval. The others are being charged: the bank is closed, so their calls are under way. Then all go on. An order is *lost* if it is not charged or not COMPLETED, *doubled* if it is charged twice.

# %% tags=["code"]
from itertools import count

from labkit.flight import flying, tally

lab = Lab(folder / "dapr.yaml")
lab.up(announce=False)
with flying(lab, "first") as names:
    recorded = {"approval": lab.run(names[0]).history, "charge": lab.run(names[-1]).history}
for step, history in recorded.items():
    print(f"waits for its {step}:", [s.name for s in history.own_steps()])
print(tally(lab, names))

# %% [markdown] tags=["text"]
# ## Test the release before you make it
#
# The first test replays recorded histories over the code as it is now. The second runs the apps in one process, and asks for the result. Neither needs Dapr, so both can run with each commit.

# %% tags=["write"]
# %%workfile 17/test_orders.py
import json
import unittest
from pathlib import Path

import dapr.ext.workflow as wf

from labkit.history import from_json
from labkit.inprocess import InProcess
from labkit.replay import replay, runtime_of

HERE = Path(__file__).parent
ORDERS, APPROVALS = (runtime_of(HERE / app / "main.py") for app in ("orders", "approvals"))
PAYMENTS = wf.WorkflowRuntime()


@PAYMENTS.activity(name="charge")
def charge(ctx, bill):
    return {"charged": bill["amount"]}


class Orders(unittest.TestCase):
    def test_the_code_fits_what_is_in_flight(self):
        bad = {}
        for file in sorted((HERE / "histories").glob("*.json")):
            turns = replay(ORDERS, from_json(json.loads(file.read_text())))
            if turns[-1].failure:
                bad[file.stem] = turns[-1].failure
        self.assertEqual(list(bad), [])

    def test_an_approved_order_is_charged(self):
        apps = InProcess({"orders": ORDERS, "approvals": APPROVALS, "payments": PAYMENTS})
        order = apps.schedule("orders", "order", "o-1", instance_id="o-1")
        apps.run()
        self.assertEqual(apps.awaited("approval-o-1"), ["event approved"])
        apps.raise_event("approval-o-1", "approved")
        apps.run()
        self.assertEqual((order.status, order.output), ("COMPLETED", 10))

# %% tags=["code"]
import subprocess
import sys


def run_tests():
    """Run the tests in a process of their own; return what they say of the code."""
    command = [sys.executable, "-m", "unittest", "test_orders"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    telling = ("OK", "FAIL:", "AssertionError")
    lines = [line for line in done.stderr.splitlines() if line.startswith(telling)]
    return [line.partition(" (")[0] for line in lines]


# %% tags=["code"]
import json

from labkit.history import to_json

(folder / "histories").mkdir(exist_ok=True)
for step, history in recorded.items():
    (folder / "histories" / f"{step}.json").write_text(json.dumps(to_json(history.events)))
print(*run_tests(), sep="\n")

# %% [markdown] tags=["predict"]
# Risk wants a score before money moves, so you put the step `score` between approval and charge. *Which of the two recorded orders does the new code fit?*

# %% tags=["predict"]
waits, charging = "the one that waits for its approval", "the one that is being charged"
predict("fits", ["both", waits, charging, "neither"])

# %% tags=["run"]
BILL = '    bill = {"order": order, "amount": 10}\n'
SCORE = "    yield ctx.call_activity(score, input=order)\n"
write("orders", (BILL, SCORE + BILL))
said = run_tests()
print(*said, sep="\n")
bad = tuple(step for step in recorded if f"'{step}'" in "".join(said))
fits = {(): "both", ("charge",): waits, ("approval",): charging}
observe("fits", fits.get(bad, "neither"))

# %% [markdown] tags=["explain"]
# What an order has passed must stay; what it has not reached may change. So keep a history for each place where orders wait, from the real system. The second test passed: a run from start to end never meets a history of the old code.
#
# ## Release, and roll back
#
# With `is_patched` the tests pass, and you release it while 50 orders are in flight. Later ten new orders are in flight: five wait for their approval, five have their score and are being charged. You have to take the release back. *How do the ten stand after that?*

# %% tags=["predict"]
ends = ["10 COMPLETED", "5 COMPLETED, 5 FAILED", "5 COMPLETED, 5 STALLED", "10 STALLED"]
predict("rollback", ends)

# %% tags=["run"]
PATCHED = (BILL, f'    if ctx.is_patched("score"):\n    {SCORE}{BILL}')
write("orders", PATCHED)
print(*run_tests())
with flying(lab, "second") as names:
    lab.restart("orders", "worker")
print(tally(lab, names))
with flying(lab, "third", 10) as ten:
    write("orders")
    lab.restart("orders", "worker")
after = tally(lab, ten)
observe("rollback", str(after).partition(";")[0])

# %% tags=["look"]
import grpc

held = [name for name in ten if lab.run(name).status == "STALLED"]
why = lab.run(held[0]).history.stalled
print(why.reason, "-", why.description.strip())
for call in (lab.client("orders").terminate_workflow, lab.client("orders").purge_workflow):
    try:
        call(held[0])
    except grpc.RpcError as problem:
        print(call.__name__, "-", problem.details().rpartition(": ")[2])

# %% [markdown] tags=["explain"]
# An order that has taken the new path says so in its history. Code without that patch cannot replay it, so the runtime holds it: **STALLED**. It goes on as soon as a worker has the patch; until then it can be neither terminated nor purged. A rollback is a release like any other, and needs the same test, with histories of *today*. Here the way out is forward:

# %% tags=["look"]
write("orders", PATCHED)
lab.restart("orders", "worker")
print(tally(lab, ten, held=()))

# %% [markdown] tags=["predict"]
# ## Two whole versions
#
# With `versioned_workflow` an instance keeps the function with which it began. The recorded orders were started without versions, and version 1 below asks for the same first steps. *Which version do they get?*

# %% tags=["predict"]
predict("version", ["version 1, and fit", "version 2, and do not fit", "none: STALLED"])

# %% tags=["write"]
# %%workfile 17/versioned.py
import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()


@wfr.versioned_workflow(name="order", version_name="1", is_latest=False)
def order_1(ctx, order):
    yield ctx.call_activity("check", input=order)
    yield ctx.call_child_workflow("approval", app_id="approvals", instance_id=f"approval-{order}")


@wfr.versioned_workflow(name="order", version_name="2", is_latest=True)
def order_2(ctx, order):
    yield ctx.call_activity("score", input=order)
    yield ctx.call_child_workflow("approval", app_id="approvals", instance_id=f"approval-{order}")

# %% tags=["run"]
from labkit.replay import replay, runtime_of

last = replay(runtime_of(folder / "versioned.py"), recorded["approval"].events)[-1]
print((last.failure or "it fits").partition(" as part")[0].partition("mismatch: ")[2])
words = {"FAILED": "version 2, and do not fit", "STALLED": "none: STALLED"}
observe("version", words.get(last.status, "version 1, and fit"))

# %% [markdown] tags=["explain"]
# An instance without a version gets the latest. A plain `@wfr.workflow` of that name beside them would serve all, also new ones.
#
# | you want to | use |
# |---|---|
# | change a step | `is_patched` |
# | rewrite what had versions from its first release | `versioned_workflow` |
# | rewrite what had none | a new workflow under a new name; keep the old one until its orders have ended |

# %% [markdown] tags=["predict"]
# ## What two apps say to each other
#
# `payments` needs a new field, `currency`: the **contract** changes. It looks safe when first `orders` sends it, which the old `payments` ignores, and then `payments` requires it. *How many of 50 orders are lost?*

# %% tags=["predict"]
predict("contract", ["none", "25", "50"])

# %% tags=["code"]
ATTEMPTS = count(1)
SENDS = (BILL, BILL.replace("10}", '10, "currency": "EUR"}'))
START = '    book("starts"'
NEEDS = (START, '    if bill["currency"] != "EUR":\n        raise ValueError("euros only")\n' + START)


def replace_both(prefix, *payments):
    """Release orders and then payments, while 50 orders are in flight."""
    with flying(lab, prefix) as names:
        write("orders", PATCHED, SENDS)
        lab.restart("orders", "worker", announce=False)
        write("payments", *payments)
        lab.kill("payments", "worker", announce=False)
        lab.up("payments", announce=False)
    return tally(lab, names)

# %% tags=["run"]
result = replace_both("fourth", NEEDS)
print(result)
observe("contract", str(result.lost) if result.lost else "none")

# %% [markdown] tags=["explain"]
# A call that is under way has its input already, and a new worker gets it as it is. So the target comes first, and takes both shapes until the last old call has ended:
#
# | | input | answer |
# |---|---|---|
# | 1. | target takes old and new | target returns both |
# | 2. | caller sends new | caller reads new |
# | 3. | target requires new | target drops old |

# %% [markdown] tags=["change"]
# ## Change something
#
# Make `payments` accept both shapes: change the second `bill["currency"]`, so that a missing currency counts as euros. Run the cell, which first puts both apps back, until no order is lost. `orders` may go first: the old `payments` ignores new fields.

# %% tags=["change"]
TAKES = (NEEDS[0], NEEDS[1].replace('bill["currency"]', 'bill["currency"]'))
for app, *changes in (("orders", PATCHED), ("payments",)):
    write(app, *changes)
    lab.restart(app, "worker", announce=False)
print(replace_both(f"attempt-{next(ATTEMPTS)}", TAKES))

# %% tags=["quiz"]
quiz("which-first")

# %% [markdown] tags=["text"]
# ## What has ended stays
#
# Ended instances stay in the store until a purge, or a **retention** policy of the app, removes them. A purge follows children into other apps; the policy does not, so each app needs its own. Neither touches what runs.

# %% tags=["look"]
import sqlite3

from labkit.history import instance_ids_of


def known(app_id):
    """Return the instance IDs that the sidecar of an app has."""
    return instance_ids_of(lab.app(app_id).grpc_address, lab.app(app_id).shared.token)


def rows():
    with sqlite3.connect(lab.folder / "statestore.sqlite") as db:
        return db.execute("SELECT count(*) FROM state").fetchone()[0]

# %% tags=["look"]
counted = len(known("orders")), len(known("approvals")), rows()
for name in names:
    lab.client("orders").purge_workflow(name)
left = len(known("orders")), len(known("approvals")), rows()
gone = [before - after for before, after in zip(counted, left, strict=True)]
print("removed: orders", gone[0], "approvals", gone[1])
print(f"rows in the store for each order: about {round(gone[2] / gone[0], -1):.0f}")

# %% [markdown] tags=["close"]
# ## What you can now do
#
# You test a release against what is in flight, know which orders a rollback stalls and how to free them, change a contract in three steps, and know what ended instances cost. [Facts about changes](../docs/facts-change.md) lists the outcomes of many other changes.
#
# [Claims](../docs/claims.md) you have seen: what was recorded is not done again; a purge follows the children.
#
# Next: the exercises of this lesson; then lesson 18 runs Kubernetes manifests as processes.

# %% tags=["close"]
lab.down()
finish("17-change-it-while-it-runs")
