"""Who may have registered a name: a runtime, or a method of it, that is given away."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit.preflight import inspect

SDK = "import dapr.ext.workflow as wf\nwfr = wf.WorkflowRuntime()\ndef charge(ctx, x): ...\n"
GIVEN_AWAY = {
    "a method under another name": "register = wfr.register_activity\nregister(charge)\n",
    "a decorator under another name": "a = wfr.activity\n@a(name='charge')\ndef p(ctx): ...\n",
    "map": "list(map(wfr.register_activity, [charge]))\n",
    "getattr": "getattr(wfr, 'register_activity')(charge)\n",
    "partial": "from functools import partial\n"
    "partial(wfr.register_activity, name='charge')(charge)\n",
    "a helper that is installed": "from shop import register_all\nregister_all(wfr)\n",
}
RUN = """\
version: 1
apps:
- {appID: orders, appDirPath: orders, command: [python3, main.py]}
- {appID: billing, appDirPath: billing, command: [python3, main.py]}
"""
CALL = """\
import dapr.ext.workflow as wf
wfr = wf.WorkflowRuntime()
@wfr.workflow
def order(ctx, x):
    yield ctx.call_activity('charge', app_id='billing')
"""


def names(folder: Path, billing: str, orders: str = CALL) -> list[str]:
    """What is said of the names that orders calls at billing."""
    for app, code in (("orders", orders), ("billing", billing)):
        (folder / app).mkdir()
        (folder / app / "main.py").write_text(code)
    (folder / "dapr.yaml").write_text(RUN)
    found = inspect([folder / "dapr.yaml"])
    return [f.state for f in found if f.requirement == "names"]


@pytest.mark.parametrize("code", GIVEN_AWAY.values(), ids=list(GIVEN_AWAY))
def test_what_a_runtime_is_given_to_may_register(tmp_path, code):
    assert names(tmp_path, SDK + code) == ["cannot be known"]


def test_a_runtime_that_is_made_elsewhere_may_have_more_names(tmp_path):
    code = "import dapr.ext.workflow as wf\nimport shop\nshop.wfr.start()\n"
    assert names(tmp_path, code) == ["cannot be known"]


def test_a_helper_of_its_own_that_was_read_hides_no_wrong_name(tmp_path):
    code = "def refund(ctx): ...\ndef all_of(rt):\n    wfr.register_activity(refund)\nall_of(wfr)\n"
    assert names(tmp_path, SDK + code) == ["broken"]


CALLED = {
    "another name": "call = ctx.call_activity\n    yield call('refund', app_id='billing')",
    "another name of a name": "a = b = ctx.call_activity\n    yield a('refund', app_id='billing')",
    "getattr": "yield getattr(ctx, 'call_activity')('refund', app_id='billing')",
    "its name": "c = getattr(ctx, 'call_activity')\n    yield c('refund', app_id='billing')",
}
UNKNOWN = {
    "partial, an app": "p = partial(ctx.call_activity, app_id='billing')\n    yield p('refund')",
    "partial": "p = partial(ctx.call_activity)\n    yield p('refund', app_id='billing')",
    "a helper": "yield from calls(ctx.call_activity, 'refund', 'billing')",
}


def called(folder: Path, how: str) -> list[str]:
    head, _, _ = CALL.partition("    yield")
    return names(folder, SDK + "wfr.register_activity(charge)\n", f"{head}    {how}\n")


@pytest.mark.parametrize("how", CALLED.values(), ids=list(CALLED))
def test_a_call_by_another_name_is_judged(tmp_path, how):
    assert called(tmp_path, how) == ["broken"]
    assert "refund" in how
    (tmp_path / "right").mkdir()
    assert called(tmp_path / "right", how.replace("refund", "charge")) == ["holds"]


@pytest.mark.parametrize("how", UNKNOWN.values(), ids=list(UNKNOWN))
def test_what_code_of_others_calls_cannot_be_known(tmp_path, how):
    assert called(tmp_path, how) == ["cannot be known"]


@pytest.mark.parametrize(
    "how",
    [
        "yield wf.when_all(list(map(ctx.call_activity, ['pack', 'send'])))",
        "call = ctx.call_activity\n    yield call('pack')",
    ],
)
def test_a_call_by_another_name_in_the_own_app_is_none_to_another(tmp_path, how):
    assert called(tmp_path, how) == ["cannot be known"]  # "... call no other app"
