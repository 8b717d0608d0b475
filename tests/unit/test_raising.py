"""Activities of a service that runs raise for as long as they are asked to."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

from labkit.cuts.raising import failing, hooked, ledgers

SERVICE = """
import sys
from dapr.ext.workflow import WorkflowRuntime

wfr = WorkflowRuntime()

@wfr.activity(name="pay")
def charge(ctx, amount: int) -> dict:
    print("paid", amount, flush=True)

@wfr.activity
def ship(ctx):
    print("shipped", flush=True)

call = wfr._WorkflowRuntime__worker._registry.get_activity
for line in sys.stdin:
    call("ship")(None)
    try:
        call("pay")(None, 5)
    except Exception as problem:
        print(type(problem).__name__, flush=True)
    print("done", flush=True)
"""


def test_each_call_of_the_named_activity_raises_within_the_block_and_no_other(tmp_path):
    lab = SimpleNamespace(folder=tmp_path)
    ledgers(lab).mkdir()
    own = {**hooked(), "LEDGER": str(ledgers(lab) / "shop.sqlite")}
    with subprocess.Popen(
        [sys.executable, "-c", SERVICE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **own},
        text=True,
    ) as service:

        def called():
            service.stdin.write("\n")
            service.stdin.flush()
            return list(iter(lambda: service.stdout.readline().strip(), "done"))

        assert called() == ["shipped", "paid 5"]
        with failing(lab, "pay", "before") as raised:
            assert not raised()
            assert called() == called() == ["shipped", "NonRetryableError"]
            assert raised()
        assert called() == ["shipped", "paid 5"]
        with failing(lab, "pay", "after") as raised:
            assert not raised()
            assert called() == ["shipped", "paid 5", "NonRetryableError"]
            assert raised()
        service.stdin.close()
        assert "sitecustomize" not in service.stderr.read()
