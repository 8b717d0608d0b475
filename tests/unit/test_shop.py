"""What checks observe of the shop, on ledgers as its services write them."""

from __future__ import annotations

from datetime import datetime, timezone
from types import SimpleNamespace

import pytest

from labkit.apps.app import NoLedger
from labkit.build.attack import attacks
from labkit.exercises import load, shop
from labkit.exercises.deployment import prepare
from labkit.exercises.drawing import Draw

AT = "2026-11-25T21:00:0{}"


class Lab:
    def __init__(self, **tables):
        self.tables = {"received": [], "stock": []} | tables
        self.inbox = ()

    def ledger(self, app_id, table):
        if table not in self.tables:
            raise NoLedger("no table", asked="", found="", look_at="", fix="")
        return self.tables[table]

    def run(self, instance_id):
        return self.found


def case(output=None, **tables):
    order = {"order_id": "o", "item": "book", "quantity": 2, "amount": 50}
    lab = Lab(**tables)
    history = SimpleNamespace(name="fulfil_order")
    lab.found = SimpleNamespace(status="COMPLETED", input=order, output=output, history=history)
    return SimpleNamespace(
        lab=lab,
        instance_id="i",
        order=order,
        output=output,
        name='"i"',
        run=lab.found,
        history=history,
        is_own=False,
    )


def reservation(released=None, quantity=2, **changes):
    row = {"key": "o/reserve", "order_id": "o", "item": "book", "quantity": quantity}
    return row | {"released_at": released} | changes


def payment(refunded=None, amount=50):
    return {"key": "o/charge", "order_id": "o", "amount": amount, "refunded_at": refunded}


def outcome(check):
    seen = check.observe()
    return seen, check.holds(seen) if check.holds else seen == check.expected


def test_an_order_of_another_customer_does_not_count():
    other = case(reservations=[reservation(order_id="other")], payments=[])
    assert shop.done(other) == []
    assert shop.row_of(other, "cancel_delivery") is None, "a table that nobody wrote"


def test_a_compensation_that_came_before_its_step_has_done_nothing():
    early = case(reservations=[reservation(AT.format(1), quantity=None)], payments=[])
    assert (shop.done(early), shop.undone(early)) == ([], [])


@pytest.mark.parametrize(("refund", "release", "good"), [(1, 2, True), (2, 1, False)])
def test_what_was_done_last_has_to_be_undone_first(refund, release, good):
    seen = case(
        reservations=[reservation(AT.format(release))], payments=[payment(AT.format(refund))]
    )
    assert shop.done(seen) == ["release_inventory", "refund_payment"]
    assert outcome(shop.reversed_(seen))[1] is good


def test_the_result_has_to_name_what_was_undone_and_what_was_not():
    rows = {"reservations": [reservation(AT.format(1))], "payments": [payment()]}
    report = {"undone": ["release_inventory"], "not_undone": [{"step": "refund_payment"}]}
    assert outcome(shop.reported(case(report, **rows)))[1]
    for wrong in ({**report, "not_undone": []}, {"undone": []}, None, "done"):
        assert not outcome(shop.reported(case(wrong, **rows)))[1]


def test_the_invariant_of_the_course_is_asked_and_says_what_is_broken():
    rows = {"reservations": [], "deliveries": []}
    result = {"status": "cancelled"}
    assert outcome(shop.holds(case(result, payments=[], **rows))) == ("all of it holds", True)
    words = "o was charged and is neither delivered nor refunded"
    assert outcome(shop.holds(case(result, payments=[payment()], **rows))) == (words, False)


def test_a_drawn_order_can_be_fulfilled_and_is_new_each_time():
    one, two = (shop.drawn(Draw(seed)) for seed in (1, 2))
    assert one["order_id"] != two["order_id"]
    assert one["amount"] < 1000, "it needs no approval"
    assert shop.drawn(Draw(1), country="AQ")["country"] == "AQ"


def test_no_step_is_added_besides_to_a_workflow_whose_instances_are_under_way(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("LABKIT_STATE", str(tmp_path))
    for id, added in (("add-a-step-in-flight", False), ("write-the-saga", True)):
        exercise = load(id)
        prepare(exercise, (*exercise.fault, *exercise.repair))
        change = next(a.change for a in attacks(exercise) if a.name.startswith("harmless"))
        change(exercise.work)
        text = (exercise.work / "order-api" / "main.py").read_text("utf-8")
        assert ("attack_note" in text) is added
        assert "bystander" in exercise.run_file.read_text("utf-8")


def test_what_an_earlier_run_has_undone_is_said_and_not_judged():
    one = case(reservations=[reservation("2026-11-25T21:00:05+00:00")])
    one.is_own = True
    one.history.events = [
        SimpleNamespace(time=datetime(2026, 11, 25, 21, 0, 4, tzinfo=timezone.utc))
    ]
    effects = {name: shop.EFFECTS[name] for name in ("release_inventory",)}
    assert shop.undone(one, effects) == ["release_inventory"]
    one.history.events = [
        SimpleNamespace(time=datetime(2026, 11, 25, 21, 0, 6, tzinfo=timezone.utc))
    ]
    with pytest.raises(shop.UndoneBefore, match="before it began"):
        shop.undone(one, effects)
