"""A deployment whose workflows wait: for events, for timers, for both."""

from __future__ import annotations

from pathlib import Path

from tests.support.deployments import write_small

WAITER = '''
import signal
from datetime import timedelta

import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()


@wfr.activity(name="note")
def note(ctx, given):
    print(f"noted {given}", flush=True)
    return given


@wfr.workflow(name="one")
def one(ctx, given):
    return (yield ctx.wait_for_external_event("go"))


@wfr.workflow(name="later")
def later(ctx, seconds):
    yield ctx.create_timer(timedelta(seconds=seconds))
    return (yield ctx.wait_for_external_event("go"))


@wfr.workflow(name="two")
def two(ctx, given):
    first = yield ctx.wait_for_external_event("go")
    second = yield ctx.wait_for_external_event("GO")
    return [first, second]


@wfr.workflow(name="patched")
def patched(ctx, given):
    yield ctx.wait_for_external_event("go")
    ctx.is_patched("what comes next")
    return (yield ctx.wait_for_external_event("again"))


@wfr.workflow(name="limited")
def limited(ctx, seconds):
    """Wait with a time-out, then once more without one."""
    try:
        yield ctx.wait_for_external_event("go", timeout=timedelta(seconds=seconds))
    except TimeoutError:
        return ["second wait", (yield ctx.wait_for_external_event("go"))]
    return ["first wait"]


@wfr.workflow(name="raced")
def raced(ctx, seconds):
    """The same with a timer of one's own: the wait that lost is still there."""
    first = ctx.wait_for_external_event("go")
    yield wf.when_any([first, ctx.create_timer(timedelta(seconds=seconds))])
    second = ctx.wait_for_external_event("go")
    yield wf.when_any([second, ctx.create_timer(timedelta(seconds=seconds))])
    return ["second wait" if second.is_complete else "first wait, after it had lost"]


@wfr.workflow(name="sleep")
def sleep(ctx, seconds):
    yield ctx.create_timer(timedelta(seconds=seconds))


@wfr.workflow(name="watch")
def watch(ctx, given):
    """Take events until one says stop; start over after each so many."""
    for _ in range(given["each"]):
        got = yield ctx.wait_for_external_event("go")
        if got == "stop":
            return given["seen"]
        given["seen"].append(got)
        yield ctx.call_activity(note, input=got)
    ctx.continue_as_new(given, save_events=given["save"])


wfr.start()
signal.pause()
'''


def write_waiting(folder: Path) -> Path:
    """Write a deployment of ``caller``, which waits, and of ``target``; return its run file."""
    return write_small(folder, caller=WAITER)
