"""The other app: an activity and a child workflow."""

import os
import signal
import time
from pathlib import Path

import dapr.ext.workflow as wf

NOTES = Path(os.environ["LEDGER"]).with_suffix(".txt")
wfr = wf.WorkflowRuntime()


@wfr.activity(name="work")
def work(ctx, key):
    with NOTES.open("a") as out:
        out.write(key + "\n")
    time.sleep(0.2)
    return key


@wfr.workflow(name="below")
def below(ctx, key):
    return (yield ctx.call_activity(work, input=key))


wfr.start()
signal.pause()
