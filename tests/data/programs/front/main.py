"""front: workflows as people write them. A file ``newer`` beside this one is the next release."""

import itertools
import signal
from datetime import timedelta
from pathlib import Path

import dapr.ext.workflow as wf
from pydantic import BaseModel

NEWER = (Path(__file__).parent / "newer").exists()
SECOND = timedelta(seconds=1)

wfr = wf.WorkflowRuntime()
_turn = itertools.count()


class Order(BaseModel):
    number: int
    to: str = "Ada"


@wfr.activity(name="note")
def note(ctx, text):
    return text


@wfr.activity(name="fails")
def fails(ctx, text):
    raise ValueError(text)


# --- waits -----------------------------------------------------------------------------------


@wfr.workflow(name="approve")
def approve(ctx, _):
    return (yield ctx.wait_for_external_event("approval"))


@wfr.workflow(name="approve_after_work")
def approve_after_work(ctx, _):
    first = yield ctx.call_activity(note, input="prepared")
    said = yield ctx.wait_for_external_event("Approval")
    yield ctx.create_timer(SECOND)
    return [first, said]


@wfr.workflow(name="approve_or_late")
def approve_or_late(ctx, seconds):
    answer = ctx.wait_for_external_event("approval")
    late = ctx.create_timer(timedelta(seconds=seconds))
    winner = yield wf.when_any([answer, late])
    last = yield ctx.call_activity(note, input="late" if winner is late else "in time")
    return [last, answer.get_result() if answer.is_complete else None]


@wfr.workflow(name="approve_within")
def approve_within(ctx, seconds):
    try:
        said = yield ctx.wait_for_external_event("approval", timeout=timedelta(seconds=seconds))
    except TimeoutError:
        return "nobody answered"
    yield ctx.create_timer(SECOND)
    return said


@wfr.workflow(name="no_patience")
def no_patience(ctx, _):
    try:
        yield ctx.wait_for_external_event("approval", timeout=timedelta(0))
    except TimeoutError:
        return (yield ctx.call_activity(note, input="did not wait"))


@wfr.workflow(name="fan_in")
def fan_in(ctx, names):
    got = yield wf.when_all([ctx.wait_for_external_event(name) for name in names])
    return dict(zip(names, got, strict=True))


@wfr.workflow(name="gather")
def gather(ctx, given):
    seen = [*given["seen"], (yield ctx.wait_for_external_event("item"))]
    if len(seen) < 4:
        ctx.continue_as_new({"seen": seen, "keep": given["keep"]}, save_events=given["keep"])
        return None
    return seen


# --- loops -----------------------------------------------------------------------------------


@wfr.workflow(name="watch")
def watch(ctx, n):
    yield ctx.call_activity(note, input=n)
    yield ctx.create_timer(SECOND)
    ctx.continue_as_new(n + 1)


@wfr.workflow(name="count_down")
def count_down(ctx, n):
    if n:
        ctx.continue_as_new(n - 1)
        return None
    return "done"


@wfr.workflow(name="poll")
def poll(ctx, given):
    end, tries = ctx.current_utc_datetime + timedelta(seconds=10), 0
    while ctx.current_utc_datetime < end:
        tries += 1
        try:
            got = yield ctx.call_activity("shaky", input=given, app_id="back")
        except wf.TaskFailedError:
            yield ctx.create_timer(SECOND)
        else:
            return {"tries": tries, "got": got}
    return None


@wfr.workflow(name="race")
def race(ctx, _):
    calls = [
        ctx.call_activity("slowly", input={"seconds": s, "answer": s}, app_id="back")
        for s in (2, 0)
    ]
    first = yield wf.when_any([*calls, ctx.create_timer(timedelta(minutes=5))])
    return [calls.index(first), (yield wf.when_all(calls))]


# --- children --------------------------------------------------------------------------------


@wfr.workflow(name="retried_child")
def retried_child(ctx, fails):
    policy = wf.RetryPolicy(first_retry_interval=SECOND, max_number_of_attempts=4)
    return (
        yield ctx.call_child_workflow(
            "shaky_child",
            input={"key": ctx.instance_id, "fails": fails},
            app_id="back",
            instance_id=f"{ctx.instance_id}-child",
            retry_policy=policy,
        )
    )


@wfr.workflow(name="guard")
def guard(ctx, how):
    try:
        if how == "child":
            yield ctx.call_child_workflow("risky", input="rope", app_id="back")
        elif how == "activity":
            yield ctx.call_activity("reserve", input="rope", app_id="back")
        else:
            yield wf.when_all([ctx.call_activity(note, input="x"), ctx.call_activity(fails)])
    except wf.TaskFailedError as problem:
        caught = problem
    last = yield ctx.call_activity(note, input="undone")
    return [last, caught.details.error_type, caught.details.message]


@wfr.workflow(name="hasty_retry")
def hasty_retry(ctx, _):
    policy = wf.RetryPolicy(
        first_retry_interval=SECOND, max_number_of_attempts=9, retry_timeout=2 * SECOND
    )
    return (yield ctx.call_child_workflow("risky", input="x", app_id="back", retry_policy=policy))


@wfr.workflow(name="same_name")
def same_name(ctx, _):
    """The child has the instance ID of its parent, in another app."""
    here = [ctx.app_id, ctx.instance_id]
    there = yield ctx.call_child_workflow("whoami", app_id="back", instance_id=ctx.instance_id)
    return [here, there]


@wfr.workflow(name="family")
def family(ctx, _):
    mine = ctx.call_child_workflow("patient", app_id="back", instance_id=f"{ctx.instance_id}-a")
    try:
        return ["child said", (yield mine)]
    except wf.TaskFailedError as problem:
        return ["child ended", problem.details.error_type, problem.details.message]


@wfr.workflow(name="lineage")
def lineage(ctx, _):
    yield ctx.call_activity(note, input="before")
    own, all_of_it = wf.PropagationScope.OWN_HISTORY, wf.PropagationScope.LINEAGE
    return [
        (
            yield ctx.call_child_workflow(
                "seen_by_child", input=True, app_id="back", propagation=own
            )
        ),
        (yield ctx.call_activity("seen_by_activity", app_id="back", propagation=all_of_it)),
        (yield ctx.call_activity("seen_by_activity", app_id="back")),
    ]


# --- data, failures --------------------------------------------------------------------------


@wfr.workflow(name="parcel")
def parcel(ctx, order: Order):
    weighed = yield ctx.call_activity("weigh", input=order, app_id="back")
    ctx.set_custom_status("weighed")
    yield ctx.create_timer(SECOND)
    return {"number": order.number, "grams": weighed.grams}


@wfr.workflow(name="doubles")
def doubles(ctx, numbers):
    calls = [ctx.call_activity("double", input=n, app_id="back") for n in numbers]
    return sum((yield wf.when_all(calls)))


@wfr.workflow(name="raises")
def raises(ctx, _):
    try:
        yield ctx.call_activity(note, input="x")
        raise KeyError("not there")
    except KeyError:
        yield ctx.call_activity(note, input="cleaned up")
        raise


@wfr.workflow(name="no_json")
def no_json(ctx, _):
    yield ctx.call_activity(note, input="x")
    return {1, 2}


@wfr.workflow(name="no_task")
def no_task(ctx, _):
    yield ctx.call_activity(note, input="x")
    yield 7


@wfr.workflow(name="no_steps")
def no_steps(ctx):
    return None


@wfr.workflow(name="misspelt")
def misspelt(ctx, what):
    if what == "activity":
        return (yield ctx.call_activity("nobody_has_it", app_id="back"))
    return (yield ctx.call_child_workflow("nobody_has_it", app_id="back"))


@wfr.workflow(name="absent")
def absent(ctx, _):
    yield ctx.call_activity(note, input="before")
    return (yield ctx.call_activity("x", app_id="ghost"))


@wfr.workflow(name="absent_at_once")
def absent_at_once(ctx, _):
    return (yield ctx.call_child_workflow("x", app_id="ghost"))


@wfr.workflow(name="drawn")
def drawn(ctx, _):
    """Not deterministic: each turn asks for another activity."""
    if next(_turn) % 2:
        return (yield ctx.call_activity("another_name"))
    return (yield ctx.call_activity(note, input="one"))


@wfr.workflow(name="piles")
def piles(ctx, many):
    sizes = []
    for _ in range(many):
        sizes.append(len((yield ctx.call_activity("megabytes", input=1.5, app_id="back"))))
    return sum(sizes)


@wfr.workflow(name="carries")
def carries(ctx, many):
    return len((yield ctx.call_activity("megabytes", input=many, app_id="back")))


# --- releases --------------------------------------------------------------------------------


@wfr.versioned_workflow(name="claim", version_name="first", is_latest=not NEWER)
def first(ctx, _):
    begun = yield ctx.call_activity(note, input="first begins")
    yield ctx.wait_for_external_event("go")
    return [begun, (yield ctx.call_activity(note, input="first ends"))]


if NEWER:

    @wfr.versioned_workflow(name="claim", version_name="second", is_latest=True)
    def second(ctx, _):
        begun = yield ctx.call_activity(note, input="second begins")
        yield ctx.call_activity(note, input="a step that the first has not")
        yield ctx.wait_for_external_event("go")
        return [begun]


@wfr.workflow(name="patched")
def patched(ctx, _):
    yield ctx.call_activity(note, input="start")
    if NEWER and ctx.is_patched("check"):
        yield ctx.call_activity(note, input="check")
    yield ctx.wait_for_external_event("go")
    if NEWER and ctx.is_patched("check") and ctx.is_patched("farewell"):
        yield ctx.call_activity(note, input="farewell")
        return "newer"
    return "older"


@wfr.workflow(name="paused")
def paused(ctx, _):
    first = yield ctx.call_activity("slowly", input={"seconds": 2, "answer": "one"}, app_id="back")
    return [first, (yield ctx.call_activity(note, input="two"))]


if __name__ == "__main__":
    wfr.start()
    signal.sigwait([signal.SIGTERM, signal.SIGINT])
    wfr.shutdown()
