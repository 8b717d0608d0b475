"""back: what other apps call."""

import asyncio
import signal
import time
from collections import Counter
from dataclasses import dataclass

import dapr.ext.workflow as wf
from pydantic import BaseModel

wfr = wf.WorkflowRuntime()
_tries: Counter[str] = Counter()


class OutOfStock(Exception):
    """Nothing is left."""


class Parcel(BaseModel):
    number: int
    to: str


@dataclass
class Weighed:
    number: int
    grams: int


@wfr.activity(name="double")
async def double(ctx, number):
    await asyncio.sleep(0.01)
    return number * 2


@wfr.activity(name="weigh")
def weigh(ctx, parcel: Parcel):
    return Weighed(parcel.number, 100 * len(parcel.to))


@wfr.activity(name="reserve")
def reserve(ctx, item):
    raise OutOfStock(f"no {item} left")


@wfr.activity(name="shaky")
def shaky(ctx, given):
    """Fail as often as ``given`` says, by its key."""
    _tries[given["key"]] += 1
    if _tries[given["key"]] <= given["fails"]:
        raise ConnectionError(f"try {_tries[given['key']]}")
    return _tries[given["key"]]


@wfr.activity(name="slowly")
def slowly(ctx, given):
    time.sleep(given["seconds"])
    return given["answer"]


@wfr.activity(name="megabytes")
def megabytes(ctx, many):
    return "x" * int(many * 1024 * 1024)


@wfr.activity(name="seen_by_activity")
def seen_by_activity(ctx, _):
    history = ctx.get_propagated_history()
    return None if history is None else [w.name for w in history.get_workflows()]


@wfr.workflow(name="seen_by_child")
def seen_by_child(ctx, deeper):
    history = ctx.get_propagated_history()
    names = None if history is None else [w.name for w in history.get_workflows()]
    if not deeper:
        return names
    below = yield ctx.call_child_workflow(
        "seen_by_child", input=False, propagation=wf.PropagationScope.LINEAGE
    )
    return [names, below]


@wfr.workflow(name="risky")
def risky(ctx, what):
    raise OutOfStock(f"no {what} left")


@wfr.workflow(name="shaky_child")
def shaky_child(ctx, given):
    return (yield ctx.call_activity(shaky, input=given))


@wfr.workflow(name="patient")
def patient(ctx, _):
    return (yield ctx.wait_for_external_event("go"))


@wfr.workflow(name="whoami")
def whoami(ctx, _):
    yield ctx.call_activity(double, input=1)
    return [ctx.app_id, ctx.instance_id]


if __name__ == "__main__":
    wfr.start()
    signal.sigwait([signal.SIGTERM, signal.SIGINT])
    wfr.shutdown()
