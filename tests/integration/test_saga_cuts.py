"""The shop's saga keeps its promise under cuts, and wrong sagas are caught."""

from __future__ import annotations

import json
import shutil

import pytest

from labkit import paths
from labkit.cuts import Study
from labkit.cuts.plan import RAISES, VICTIMS, sample

SHOP = paths.repo() / "services" / "fulfilment"
PROMISE = f"{SHOP}/invariant.py:holds"
ORDER = json.loads((SHOP / "order.json").read_text("utf-8"))
ABROAD = {"card": "abroad"}
NOBODY_DELIVERS = {"country": "AQ"}
SILENT_CARRIER = {"country": "IS"}

NOTED = 'undo.append("cancel_delivery")'
DELIVERED = 'yield from step(ctx, "schedule_delivery", order)'

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_STATE", str(tmp_path / "state"))


def test_the_reference_holds_at_cuts_that_are_drawn():
    study = Study(SHOP, "fulfil_order", ORDER, PROMISE)
    cuts = study.cuts(list(VICTIMS))
    assert len(cuts) >= 60
    quick = [c for c in cuts if c.victim not in ("scheduler", "everything")]
    report = study.run(sample(quick, 5, seed=11))
    assert report.held, report


def test_the_reference_holds_when_any_activity_raises():
    study = Study(SHOP, "fulfil_order", ORDER, PROMISE)
    report = study.run(study.cuts(list(RAISES), "raise"))
    assert report.held, report


@pytest.mark.parametrize(
    ("file", "old", "new", "order", "victim", "words"),
    [
        pytest.param(
            "payment-service/main.py", 'f"{self.order_id}/charge"', "os.urandom(8).hex()",
            ABROAD, "target", "charged 2 times", id="a key that is new each time",
        ),
        pytest.param(
            "order-api/main.py", 'undo.append("refund_payment")', "pass",
            NOBODY_DELIVERS, None, "charged", id="no refund",
        ),
        pytest.param(
            "order-api/main.py",
            f"{NOTED}\n        {DELIVERED}", f"{DELIVERED}\n        {NOTED}",
            SILENT_CARRIER, None, "deliver", id="noted after the step",
        ),
        pytest.param(
            "order-api/main.py", "input=order, retry_policy=policy)", "input=order)",
            {}, "before", "no end", id="a check that may not fail once",
        ),
    ],
)  # fmt: skip
def test_a_wrong_saga_is_caught(tmp_path, file, old, new, order, victim, words):
    shop = _copy(tmp_path)
    source = (shop / file).read_text()
    assert source.count(old) == 1
    (shop / file).write_text(source.replace(old, new))
    delay = 0.5 if victim == "target" else 0
    study = Study(shop, "fulfil_order", {**ORDER, **order}, PROMISE, delay=delay)
    if victim is None:
        assert study.record()[0].outcome == "violated"
        assert words in study.record()[0].words
        return
    how = "raise" if victim == "before" else "kill"
    name = "charge_payment" if victim == "target" else "validate_order"
    cuts = [c for c in study.cuts([victim], how) if c.point.name == name]
    report = study.run([c for c in cuts if c.point.kind == "taskScheduled"])
    assert [r.outcome for r in report.results.values()] == ["violated"], report
    assert words in report.bad[0].words


def _copy(folder):
    """A copy of the shop, with its components and the service that it shares, to be broken."""
    own = shutil.ignore_patterns("__pycache__", "*.sqlite*", ".venv", ".dapr")
    for name in ("fulfilment", "notification-service"):
        shutil.copytree(paths.repo() / "services" / name, folder / "services" / name, ignore=own)
    shutil.copytree(paths.repo() / "components", folder / "components")
    run_file = folder / "services" / "fulfilment" / "dapr.yaml"
    text = run_file.read_text().replace("common:\n", 'common:\n  env:\n    ABROAD_SECONDS: "2"\n')
    run_file.write_text(text)
    return run_file.parent
