# %% [markdown] tags=["opening"]
# # Undo what several services did
#
# **You will** send orders through a shop of five apps, let them fail at each step, kill services at the worst moments, and ask the ledgers what became of goods and money. 50 minutes.
#
# **You will be able to**
#
# - predict which compensations are called, and in which order
# - build an invariant over the ledgers of several services, and ask it
# - predict what a kill, a refusal and an absent app do to a compensation
# - compare the steps before the pivot with those after it
#
# **You need** lesson 09. Three questions from earlier lessons come first: answer from memory.
#
# Words: [glossary](../docs/glossary.md).

# %% tags=["recall"]
import re
import runpy

from labkit import Lab, finish, observe, paths, predict, quiz, wait_until, workspace

quiz("same-key")

# %% tags=["recall"]
quiz("parent-killed")

# %% tags=["recall"]
quiz("except")

# %% [markdown] tags=["story"]
# ## Three ledgers, and no common transaction
#
# The shop's stock, its payments and its deliveries stand in three ledgers, each owned by one service. No transaction spans them. A **saga** keeps them in agreement: a workflow whose steps each commit in their own service, and where each has a **compensation**, a step that undoes it. Here is a small one.

# %% tags=["code"]
source = (paths.repo() / "services/fulfilment/order-api/main.py").read_text()


def source_of(function):
    code = source[source.index(f"def {function}(") :].partition("\n\n\n")[0]
    return re.sub(r'(?s)\n    """.*?"""|\n +# [^\n]*', "", code)  # without comments


print(source_of("ship_order"), source_of("step"), sep="\n\n\n")

# %% tags=["code"]
lab = Lab("services/fulfilment", env={"APPROVAL_SECONDS": "3"})
lab.up()


def place(order_id, workflow="fulfil_order", **changes):
    order = {"order_id": order_id, "item": "book", "quantity": 2, "amount": 50}
    order |= {"customer_email": "ada@example.com", **changes}
    lab.client("order-api").schedule_new_workflow(workflow, input=order, instance_id=order_id)
    return lab.run(order_id)



# %% [markdown] tags=["predict"]
# The shop has 20 books. You order two of them for Antarctica (`AQ`), where nobody delivers. The reservation succeeds, the delivery is refused. *How does the workflow end, and how many books are on the shelf?*

# %% tags=["predict"]
predict("refused", ["FAILED, 20 books", "COMPLETED, 20 books", "COMPLETED, 18 books"])

# %% tags=["run"]
run = place("small", "ship_order", country="AQ").wait()
print(run.output)
display(run.show())
shelf = {row["item"]: row["quantity"] for row in lab.ledger("inventory-service", "stock")}
observe("refused", f"{run.status}, {shelf['book']} books")

# %% [markdown] tags=["explain"]
# The service answers `{"refused": …}`: an answer, not an exception, so no retry policy applies. `step` raises it in the workflow, which then calls the compensation. Cancelled is a result.
#
# ## The whole order
#
# `fulfil_order` also checks the order, charges the customer, and sends a mail.

# %% tags=["code"]
def ask(order_id):
    """Ask the invariant about an order; return the answer in words."""
    try:
        runpy.run_path(str(workspace("12") / "invariant.py"))["holds"](lab, order_id)
    except AssertionError as broken:
        return str(broken)
    return "holds"


print(source_of("fulfil_order"))

# %% [markdown] tags=["predict"]
# The next order goes to Antarctica, too, so `schedule_delivery` is refused again. *Which compensations are called, in which order?*

# %% tags=["predict"]
predict("order-of-undo", [
    "refund, release", "release, refund", "cancel, refund, release", "release, refund, cancel"
])

# %% tags=["run"]
def compensations(run):
    words = ("cancel", "refund", "release")
    return [s.name.split("_")[0] for s in run.history.steps() if s.name.startswith(words)]


run = place("far", country="AQ").wait()
print(run.output)
display(run.show())
print(source_of("compensate"))
observe("order-of-undo", ", ".join(compensations(run)))

# %% [markdown] tags=["explain"]
# The last one comes first, because each step relied on those before it.
#
# `cancel_delivery` is called although the delivery was refused. Its compensation was noted before the step was called, and has to accept that there is nothing to undo. It is called, but not listed in `undone`. The section "A step that raises" shows why it is called at all.
#
# ## What must hold
#
# A result is what the workflow says about itself. An **invariant** is a sentence about the ledgers that holds for every order that has ended. Write it down before you break anything:

# %% tags=["write"]
# %%workfile 12/invariant.py
"""What must hold for every order that has ended."""


def holds(lab, order_id):
    assert lab.run(order_id).status == "COMPLETED", "the order has no end"

    def still_there(app_id, table, undone):
        rows = lab.ledger(app_id, table)
        return [r for r in rows if r["order_id"] == order_id and not r[undone]]

    reserved = still_there("inventory-service", "reservations", "released_at")
    paid = still_there("payment-service", "payments", "refunded_at")
    sent = still_there("shipping-service", "deliveries", "cancelled_at")
    assert len(reserved) == len(sent), "goods are held for a delivery that nobody makes"
    assert not paid or sent, "charged, and neither delivered nor refunded"
    assert not sent or paid, "delivered, and not charged"

# %% [markdown] tags=["predict"]
# ## A compensation that is refused
#
# This customer pays with a voucher. A voucher can be charged, but not refunded. The address is in Antarctica again. *How does the order end, and does the invariant hold?*

# %% tags=["predict"]
predict("voucher", [
    "FAILED, and the invariant does not hold",
    "cancelled, and the invariant holds",
    "cancelled, and the invariant does not hold",
])

# %% tags=["run"]
run = place("voucher", country="AQ", card="voucher").wait()
print(run.output)
print("far:", ask("far"))
print("voucher:", ask("voucher"))
says = "holds" if ask("voucher") == "holds" else "does not hold"
end = run.output["status"] if run.output else run.status
observe("voucher", f"{end}, and the invariant {says}")

# %% [markdown] tags=["explain"]
# One compensation could not be carried out; the others were, and the result reports it in `not_undone`. A workflow cannot do more: somebody has to pay this customer by hand. The invariant is strict, and so it finds the order.

# %% [markdown] tags=["predict"]
# ## A step that raises
#
# Now a bank that takes the money and never answers: each try of `charge_payment` raises, and its policy allows three. Then the step has failed. *Which compensations have something to undo?*

# %% tags=["predict"]
predict("no-answer", ["none", "release", "refund, release"])

# %% tags=["run"]
def calls(run, name):
    return [step for step in run.history.steps() if step.name == name]


run = place("silent-bank", card="silent").wait()
print(run.output)
print("charges tried:", len(calls(run, "charge_payment")), "- invariant:", ask("silent-bank"))
observe("no-answer", ", ".join(name.split("_")[0] for name in run.output["undone"]) or "none")

# %% [markdown] tags=["explain"]
# A failed step is not a step that did nothing. Its policy gives up soon: a customer is waiting, and the order can be undone. A compensation has nothing to fall back on, so it gets six tries, with 12.5 s of pauses in all.

# %% [markdown] tags=["predict"]
# ## Killed after the money was taken
#
# A bank abroad answers 20 s after it took the money. You kill `payment-service` in between. *After its restart, how many times was the activity started, and how many payments are in the ledger?*

# %% tags=["predict"]
predict("killed", ["1 start, 1 payment", "2 starts, 1 payment", "2 starts, 2 payments"])

# %% tags=["run"]
def rows(app_id, table, order_id):
    return [row for row in lab.ledger(app_id, table) if row["key"].startswith(f"{order_id}/")]


run = place("abroad", card="abroad")
wait_until(lambda: rows("payment-service", "payments", "abroad"), 30, "the payment")
lab.kill("payment-service")
lab.up("payment-service", announce=False)
print(run.wait().output["status"], "- invariant:", ask("abroad"))
starts, payments = (len(rows("payment-service", t, "abroad")) for t in ("attempts", "payments"))
observe("killed", f"{starts} start{'s' * (starts > 1)}, {payments} payment{'s' * (payments > 1)}")

# %% [markdown] tags=["explain"]
# The second start found a payment with the key `abroad/charge`: row and key were written in one transaction. A task execution ID would not do: it names one call, and the refund, another call, must find this payment. So the price of a saga: each step and each compensation is idempotent, by a key of order and step.
#
# ## Killed with the list in memory
#
# `undo` is a list in the memory of `order-api`. An order goes to Antarctica while `shipping-service` is frozen. When the customer is charged, you kill `order-api` and `payment-service`. Only `order-api` is started again; then shipping refuses. *While `payment-service` is away: what is the status of the workflow, and are the books held or released?*

# %% tags=["predict"]
predict("list-lost", ["FAILED, books held", "RUNNING, books held", "RUNNING, books released"])

# %% tags=["run"]
with lab.frozen("shipping-service", "worker"):
    run = place("waiting", country="AQ")
    wait_until(lambda: any(s.ended for s in calls(run, "charge_payment")), 60, "the charge")
    lab.kill("order-api")
    lab.kill("payment-service")
    lab.up("order-api", announce=False)
wait_until(lambda: calls(run, "cancel_delivery") or run.has_ended, 60, "the first compensation")
status, held = run.settle(4), rows("inventory-service", "reservations", "waiting")[0]
lab.up("payment-service", announce=False)
print("then:", (run.wait(60).output or {}).get("undone"), "- invariant:", ask("waiting"))
observe("list-lost", f"{status}, books {'released' if held['released_at'] else 'held'}")

# %% [markdown] tags=["explain"]
# The restarted workflow replays its history, so `undo` gets the same names again.
#
# To a retry policy an absent app is no failure, so no attempt is used up. The refund waits, and every compensation after it waits, too. Nothing is lost.
#
# ## No mail, and no answer
#
# Orders of 1,000 or more wait for the event `approval`, here three seconds at most. You place two of them while `notification-service` is away, so that no mail can be sent. You approve `large`; nobody answers for `silent`. *How do they end?*

# %% tags=["predict"]
predict("pivot", [
    "large fulfilled, silent fulfilled",
    "large fulfilled, silent cancelled",
    "large cancelled, silent cancelled",
])

# %% tags=["run"]
lab.kill("notification-service")
large = place("large", amount=1000)
wait_until(lambda: "timerCreated" in large.history.kinds, 30, "the wait for an approval")
lab.client("order-api").raise_workflow_event("large", "approval", data={"approved": True})
silent = place("silent", amount=1000)
print(large.wait().output, silent.wait().output, sep="\n")
before = len(lab.inbox)
lab.up("notification-service", announce=False)
wait_until(lambda: len(lab.inbox) > before, 60, "the mail of the large order")
print("mails:", before, "and then", [mail.subject for mail in lab.inbox][before:])
observe("pivot", f"large {large.output['status']}, silent {silent.output['status']}")

# %% [markdown] tags=["explain"]
# `schedule_delivery` is the **pivot**: before it the saga can go back, after it only forward. `silent` had not reached it: no answer in time is a refusal like the others. `large` was past it. What comes after the pivot is retried until it succeeds, or is best effort, like the mail: a child workflow that races with a timer sends it, so the order ends without it, and it arrives later.
#
# ## Change something
#
# Your invariant does not watch the stock yet. Add a rule: what the shop received (table `received`) is on the shelf (`stock`) or in a reservation that was not released. Then ask it about each order of this lesson. `services/fulfilment/invariant.py` has one way to do it.

# %% tags=["change"]
for order_id in ("far", "voucher", "silent-bank", "abroad", "waiting", "large", "silent"):
    print(f"{order_id:<10} {ask(order_id)}")

# %% tags=["quiz"]
quiz("noted-first")

# %% tags=["quiz"]
quiz("behind-the-pivot")

# %% [markdown] tags=["close"]
# ## What you can now do
#
# You can read a saga, say what it undoes and in which order, and ask an invariant.
#
# [Claims](../docs/claims.md) you have seen: compensations run in reverse order; their note survives a kill; one for an absent app waits; a key of order and step makes a repetition harmless.
#
# Next: a saga of your own.

# %% tags=["close"]
lab.down()
finish("12-sagas-across-services")
