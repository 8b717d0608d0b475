"""The sagas of ``services/fulfilment``, with five real apps."""

from __future__ import annotations

import importlib.util
import json
import sqlite3
from contextlib import closing

import pytest

from labkit import paths
from labkit.waiting import wait_until

FOLDER = paths.repo() / "services" / "fulfilment"
ORDER = json.loads((FOLDER / "order.json").read_text("utf-8"))
ALL = ("release_inventory", "refund_payment", "cancel_delivery")


def _invariant():
    spec = importlib.util.spec_from_file_location("invariant", FOLDER / "invariant.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


holds = _invariant().holds


class Shop:
    def __init__(self, lab) -> None:
        self.lab = lab

    def order(self, id, workflow="fulfil_order", **changes):
        given = {**ORDER, "order_id": id, **changes}
        client = self.lab.client("order-api")
        client.schedule_new_workflow(workflow, input=given, instance_id=id)
        return self.lab.run(id)

    def ended(self, id, workflow="fulfil_order", **changes):
        output = self.order(id, workflow, **changes).wait(usual=60).output
        assert output["order_id"] == id
        return output

    def called(self, id):
        """The compensations in the order in which they began."""
        return [s.name for s in self.lab.run(id).history.own_steps() if s.name in ALL]

    def steps(self, id):
        return [(s.name, s.outcome) for s in self.lab.run(id).history.own_steps()]

    def rows(self, app_id, table, id):
        return [r for r in self.lab.ledger(app_id, table) if r["order_id"] == id]


@pytest.fixture
def shop(make_lab):
    def make(*app_ids, **env):
        lab = make_lab("services/fulfilment", env=env)
        lab.up(*app_ids, announce=False)
        return Shop(lab)

    return make


def test_an_order_is_fulfilled_and_confirmed_by_mail(shop):
    shop = shop()
    output = shop.ended("o")
    assert output == {"order_id": "o", "status": "fulfilled", "undone": [], "confirmed": True}
    (mail,) = shop.lab.inbox
    assert (mail.to, mail.subject) == ("ada@example.com", "Order o is on its way")
    holds(shop.lab, "o")
    assert shop.ended("s", "ship_order") == {"order_id": "s", "status": "fulfilled", "undone": []}
    assert shop.rows("payment-service", "payments", "s") == []
    holds(shop.lab, "s")


def test_each_step_that_is_refused_undoes_what_came_before_in_reverse_order(shop):
    shop = shop()
    cases = {
        "unknown": ({"item": "unicorn"}, "there is no item 'unicorn'", 0),
        "many": ({"quantity": 21}, "20 x book in stock, 21 ordered", 0),
        "declined": ({"card": "declined"}, "the card was declined", 1),
        "far": ({"country": "AQ"}, "no deliveries to AQ", 2),
    }
    for id, (changes, reason, done) in cases.items():
        output = shop.ended(id, **changes)
        assert (output["status"], output["reason"]) == ("cancelled", reason)
        assert output["undone"] == list(reversed(ALL[:done]))
        assert output["not_undone"] == []
        assert shop.called(id) == list(reversed(ALL[: done + 1])), "the step that failed, too"
        holds(shop.lab, id)
    assert shop.ended("small", "ship_order", country="AQ")["undone"] == ["release_inventory"]
    holds(shop.lab, "small")
    assert shop.lab.inbox == ()


def test_a_step_that_did_its_work_and_lost_its_answer_is_undone_too(shop):
    shop = shop()
    done = {"bank": ({"card": "silent"}, 2), "carrier": ({"country": "IS"}, 3)}
    for id, (changes, count) in done.items():
        output = shop.ended(id, **changes)
        assert (output["status"], output["undone"]) == ("cancelled", list(reversed(ALL[:count])))
        assert "does not answer" in output["reason"]
        holds(shop.lab, id)


def test_a_wrong_order_is_rejected_before_anything_is_done(shop):
    shop = shop()
    output = shop.ended("r", amount=0, customer_email="nowhere")
    assert (output["status"], len(output["reasons"])) == ("rejected", 2)
    assert [s.name for s in shop.lab.run("r").history.steps()] == ["validate_order"]
    holds(shop.lab, "r")


def test_the_ledger_refuses_what_no_shop_can_do_and_the_saga_undoes_it(shop):
    shop = shop()
    output = shop.ended("n", "ship_order", quantity=-2)
    assert (output["status"], output["undone"]) == ("cancelled", [])
    assert "CHECK constraint failed" in output["reason"]
    assert len([s for s in shop.lab.run("n").history.steps() if s.outcome == "failed"]) == 3
    holds(shop.lab, "n")


def test_a_large_order_waits_for_an_approval(shop):
    shop = shop(APPROVAL_SECONDS="3")
    client = shop.lab.client("order-api")
    answers = {"yes": {"approved": True}, "no": {"approved": False}, "late": None}
    for id, answer in answers.items():
        run = shop.order(id, amount=1000)
        wait_until(lambda run=run: "timerCreated" in run.history.kinds, what="it waits", usual=20)
        assert shop.rows("payment-service", "payments", id) == []
        if answer:
            client.raise_workflow_event(id, "approval", data=answer)
    outputs = {id: shop.lab.run(id).wait(usual=60).output for id in answers}
    assert outputs["yes"]["status"] == "fulfilled"
    assert outputs["no"]["reason"] == "it was not approved"
    assert outputs["late"]["reason"] == "nobody approved it within 3 s"
    assert [outputs[id]["undone"] for id in ("no", "late")] == [["release_inventory"]] * 2
    for id in answers:
        holds(shop.lab, id)


def test_nobody_is_charged_twice_when_the_payment_service_dies_in_mid_call(shop):
    shop = shop()
    run = shop.order("k", card="abroad")
    wait_until(
        lambda: shop.rows("payment-service", "payments", "k"), what="the money is taken", usual=20
    )
    shop.lab.kill("payment-service", announce=False)
    shop.lab.up("payment-service", announce=False)
    assert run.wait(usual=60).output["status"] == "fulfilled"
    keys = [r["key"] for r in shop.lab.ledger("payment-service", "attempts")]
    assert keys == ["k/charge", "k/charge"], "it was called twice"
    assert len(shop.rows("payment-service", "payments", "k")) == 1
    holds(shop.lab, "k")


def test_an_order_waits_for_an_app_that_is_away_when_it_has_to_undo(shop):
    shop = shop()
    with shop.lab.frozen("shipping-service", "worker"):
        run = shop.order("a", country="AQ")
        wait_until(
            lambda: ("charge_payment", "completed") in shop.steps("a"),
            what="it is charged",
            usual=20,
        )
        shop.lab.kill("payment-service", announce=False)
    wait_until(lambda: "cancel_delivery" in shop.called("a"), what="it is being undone", usual=20)
    assert run.settle(3) == "RUNNING"
    (reservation,) = shop.rows("inventory-service", "reservations", "a")
    assert reservation["released_at"] is None, "the goods wait, too: the order is reversed"
    shop.lab.up("payment-service", announce=False)
    assert run.wait(usual=60).output["undone"] == ["refund_payment", "release_inventory"]
    holds(shop.lab, "a")


def test_a_compensation_that_fails_is_tried_again(shop):
    shop = shop()
    ledger = shop.lab.app("payment-service").ledger
    with closing(sqlite3.connect(ledger, isolation_level=None)) as lock:
        with shop.lab.frozen("shipping-service", "worker"):
            run = shop.order("t", country="AQ")
            wait_until(
                lambda: shop.rows("payment-service", "payments", "t"),
                what="it is charged",
                usual=20,
            )
            lock.execute("BEGIN EXCLUSIVE")
        failed = "taskFailed"
        wait_until(lambda: failed in run.history.kinds, what="a refund fails", usual=20)
        lock.execute("ROLLBACK")
    output = run.wait(usual=60).output
    assert output["undone"] == ["refund_payment", "release_inventory"]
    assert output["not_undone"] == []
    holds(shop.lab, "t")


def test_what_cannot_be_undone_is_reported_and_the_rest_is_undone(shop):
    shop = shop()
    output = shop.ended("v", card="voucher", country="AQ")
    assert (output["status"], output["undone"]) == ("cancelled", ["release_inventory"])
    reason = "a voucher cannot be refunded"
    assert output["not_undone"] == [{"step": "refund_payment", "reason": reason}]
    with pytest.raises(AssertionError, match="charged and is neither delivered nor refunded"):
        holds(shop.lab, "v")


def test_an_order_that_is_sent_twice_is_done_once(shop):
    shop = shop()
    client = shop.lab.client("order-api")
    given = {**ORDER, "order_id": "o"}
    for id in ("first", "second"):
        client.schedule_new_workflow("fulfil_order", input=given, instance_id=id)
        assert shop.lab.run(id).wait().output["status"] == "fulfilled"
        holds(shop.lab, id)
    for app_id, table in (("payment-service", "payments"), ("shipping-service", "deliveries")):
        assert len(shop.lab.ledger(app_id, table)) == 1


def test_an_order_id_that_has_another_order_is_rejected(shop):
    shop = shop()
    client = shop.lab.client("order-api")
    shop.ended("o")
    other = {**ORDER, "order_id": "o", "amount": 70}
    client.schedule_new_workflow("fulfil_order", input=other, instance_id="other")
    output = shop.lab.run("other").wait().output
    assert (output["status"], output["undone"]) == ("rejected", [])
    assert output["reasons"] == ["order_id: it was used for another order"]
    holds(shop.lab, "o")


def test_a_step_that_comes_after_its_compensation_does_nothing(shop):
    shop = shop()
    client = shop.lab.client("order-api")
    shop.ended("o", quantity=21)  # more than there is: its release came, and nothing was reserved
    (early,) = shop.lab.ledger("inventory-service", "reservations")
    assert (early["quantity"], early["released_at"] is None) == (None, False)
    given = {**ORDER, "order_id": "o"}
    client.schedule_new_workflow("ship_order", input=given, instance_id="late")
    output = shop.lab.run("late").wait().output
    assert (output["status"], output["reason"]) == ("cancelled", "this order was undone before")
    assert shop.lab.ledger("inventory-service", "reservations") == [early]
    holds(shop.lab, "late")


def test_the_confirmation_is_best_effort(shop):
    shop = shop("order-api", "inventory-service", "payment-service", "shipping-service")
    assert shop.ended("c")["confirmed"] is False
    holds(shop.lab, "c")
    shop.lab.up("notification-service", announce=False)
    wait_until(lambda: len(shop.lab.inbox) == 1, what="it is delivered later", usual=30)
    holds(shop.lab, "c")
