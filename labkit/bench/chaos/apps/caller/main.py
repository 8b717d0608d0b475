"""Workflows of each kind over two apps; every activity notes that it ran, and echoes its key."""

import os
import signal
import time
from datetime import timedelta
from pathlib import Path

import dapr.ext.workflow as wf

NOTES = Path(os.environ["LEDGER"]).with_suffix(".txt")
wfr = wf.WorkflowRuntime()


@wfr.activity(name="own")
def own(ctx, key):
    with NOTES.open("a") as out:
        out.write(key + "\n")
    time.sleep(0.2)
    return key


@wfr.workflow(name="sequence")
def sequence(ctx, name):
    first = yield ctx.call_activity("work", input=f"{name}.1", app_id="target")
    second = yield ctx.call_activity(own, input=f"{name}.2")
    third = yield ctx.call_activity("work", input=f"{name}.3", app_id="target")
    return [first, second, third]


@wfr.workflow(name="fan")
def fan(ctx, name):
    keys = [f"{name}.{n}" for n in range(5)]
    return (yield wf.when_all([ctx.call_activity("work", input=k, app_id="target") for k in keys]))


@wfr.workflow(name="child")
def child(ctx, name):
    return [(yield ctx.call_child_workflow("below", input=f"{name}.1", app_id="target"))]


@wfr.workflow(name="timer")
def timer(ctx, name):
    yield ctx.create_timer(timedelta(seconds=1))
    return [(yield ctx.call_activity("work", input=f"{name}.1", app_id="target"))]


wfr.start()
signal.pause()
