"""The workflow code of the services, run in this process with a virtual clock."""

from __future__ import annotations

import asyncio
import importlib.util
from datetime import timedelta

import dapr.ext.workflow as wf
import pytest

from labkit import paths
from labkit.history import UnknownInstance
from labkit.inprocess import START, AppNotGiven, CallNotAccepted, InProcess, NoRest

ORDER = {
    "task_id": "task-123",
    "title": "Review PR",
    "assignee_email": "alice@example.com",
    "assignee_user_id": "user-alice",
}


def service(app_id: str):
    """Load a new copy of a service's module, with a runtime of its own."""
    file = paths.repo() / "services" / app_id / "main.py"
    spec = importlib.util.spec_from_file_location(app_id.replace("-", "_"), file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def apps(send_email) -> InProcess:
    """Return the task system with a notification app that does what the test wants."""
    notification = wf.WorkflowRuntime()
    notification.register_activity(send_email, name="send_email")
    notification.register_activity(lambda ctx, given: {"sent": True}, name="send_push")
    return InProcess(
        {
            "task-orchestrator-service": service("task-orchestrator-service").wfr,
            "notification-service": notification,
        }
    )


def test_an_order_runs_through_both_apps():
    system = apps(lambda ctx, given: {"sent": given["recipient"]})
    one = system.schedule("task-orchestrator-service", "task_processing_multi_app", ORDER)
    system.run()
    assert one.status == "COMPLETED"
    assert one.output["notifications_sent"][0] == {"sent": "alice@example.com"}
    targets = {e.target_app_id for e in system.history("instance") if e.kind == "taskScheduled"}
    assert targets == {None, "notification-service"}


def test_retries_wait_one_two_four_and_eight_seconds_of_virtual_time():
    tries = []

    def failing(ctx, given):
        tries.append(system.now - START)
        raise ConnectionError("down")

    system = apps(failing)
    one = system.schedule("task-orchestrator-service", "resilient_task_processing", ORDER)
    system.run()
    assert [t // timedelta(seconds=1) for t in tries] == [0, 1, 3, 7, 15]
    assert one.status == "COMPLETED"
    assert one.output["notifications_sent"] == [{"sent": False, "error": "down"}]
    assert "log_notification_failure" in [e.name for e in system.history("instance")]


def test_a_workflow_function_is_run_again_from_its_start_at_every_turn():
    system = apps(lambda ctx, given: {})
    one = system.schedule("task-orchestrator-service", "task_processing_multi_app", ORDER)
    system.run()
    assert one.turns == 5, "once at the beginning and once after each of four activities"


def test_a_child_and_an_event_and_a_timer():
    home, away = wf.WorkflowRuntime(), wf.WorkflowRuntime()

    @away.workflow(name="child")
    def child(ctx, given):
        yield ctx.create_timer(timedelta(hours=1))
        return given * 2

    @home.workflow(name="parent")
    def parent(ctx, given):
        doubled = yield ctx.call_child_workflow("child", input=given, app_id="away")
        approved = yield ctx.wait_for_external_event("approve")
        return [doubled, approved]

    system = InProcess({"home": home, "away": away})
    one = system.schedule("home", "parent", 21)
    system.run()
    assert one.status == "RUNNING", "it waits for the event"
    assert system.now - START == timedelta(hours=1)
    system.raise_event("instance", "approve", "yes")
    system.run()
    assert one.output == [42, "yes"]


def test_a_failed_child_fails_its_parent():
    home = wf.WorkflowRuntime()

    @home.workflow(name="child")
    def child(ctx, given):
        raise ValueError("no")

    @home.workflow(name="parent")
    def parent(ctx, given):
        return (yield ctx.call_child_workflow("child"))

    system = InProcess({"home": home})
    one = system.schedule("home", "parent")
    system.run()
    assert one.status == "FAILED"
    assert "no" in one.error


@pytest.mark.parametrize(
    ("audit", "violations"),
    [
        ({"actor": "a@example.com", "action": "task_assigned", "timestamp": "now"}, 0),
        ({"actor": "a@else.org", "action": "task_assigned", "timestamp": "now"}, 1),
        ({"actor": "", "action": "theft"}, 3),
    ],
)
def test_the_audit_rules(audit, violations):
    assert len(service("audit-service").violations_of(audit)) == violations


# --- what the executor and the runtime exchange ----------------------------------------------


def noting() -> wf.WorkflowRuntime:
    """Return a runtime with the activity ``note``, which answers what it is given."""
    runtime = wf.WorkflowRuntime()
    runtime.register_activity(lambda ctx, text: text, name="note")
    return runtime


def claims(newer: bool) -> wf.WorkflowRuntime:
    """Return a runtime with the workflows ``claim`` and ``patched`` of a release."""
    runtime = noting()

    def first(ctx, _):
        yield ctx.call_activity("note", input="first begins")
        yield ctx.wait_for_external_event("go")
        return (yield ctx.call_activity("note", input="first ends"))

    def second(ctx, _):
        yield ctx.call_activity("note", input="second begins")
        return (yield ctx.call_activity("note", input="second ends"))

    def patched(ctx, _):
        yield ctx.call_activity("note", input="start")
        if newer and ctx.is_patched("check"):
            yield ctx.call_activity("note", input="check")
        yield ctx.wait_for_external_event("go")
        return "newer" if newer and ctx.is_patched("check") else "older"

    add = runtime.register_versioned_workflow
    add(first, name="claim", version_name="first", is_latest=not newer)
    if newer:
        add(second, name="claim", version_name="second", is_latest=True)
    runtime.register_workflow(patched, name="patched")
    return runtime


def test_an_instance_under_way_keeps_its_version():
    system = InProcess({"a": claims(newer=False)})
    old = system.schedule("a", "claim", instance_id="old")
    system.run()
    system.connect("a", claims(newer=True))
    new = system.schedule("a", "claim", instance_id="new")
    system.raise_event("old", "go")
    system.run()
    assert (old.output, new.output) == ("first ends", "second ends")
    assert system.history("old")[0].version == "first"


def test_a_patch_is_for_instances_that_have_not_passed_its_place():
    system = InProcess({"a": claims(newer=False)})
    old = system.schedule("a", "patched", instance_id="old")
    system.run()
    system.connect("a", claims(newer=True))
    new = system.schedule("a", "patched", instance_id="new")
    system.run()
    for name in ("old", "new"):
        system.raise_event(name, "go")
    system.run()
    assert (old.output, new.output) == ("older", "newer")


@pytest.mark.parametrize(
    ("workflow", "reason"), [("claim", "VERSION_NOT_AVAILABLE"), ("patched", "PATCH_MISMATCH")]
)
def test_a_release_that_is_taken_back_stalls_what_it_began_until_it_is_there_again(
    workflow, reason
):
    system = InProcess({"a": claims(newer=True)})
    one = system.schedule("a", workflow)
    system.step()
    system.step()
    system.connect("a", claims(newer=False))
    system.run()
    assert (one.status, one.held.split(":")[0]) == ("STALLED", reason)
    last = system.history("instance")[-1]
    assert (last.kind, last.reason) == ("executionStalled", reason)
    with pytest.raises(CallNotAccepted, match="STALLED"):
        system.raise_event("instance", "go")
    system.connect("a", claims(newer=True))
    system.run()
    if workflow == "patched":
        system.raise_event("instance", "go")
        system.run()
    assert one.status == "COMPLETED"


def test_an_async_activity_is_awaited_also_where_a_loop_runs():
    home = wf.WorkflowRuntime()

    @home.activity(name="double")
    async def double(ctx, number):
        await asyncio.sleep(0)
        return number * 2

    @home.workflow(name="all")
    def all_of_them(ctx, numbers):
        return (yield wf.when_all([ctx.call_activity(double, input=n) for n in numbers]))

    system = InProcess({"a": home})
    one = system.schedule("a", "all", [1, 2])

    async def as_in_a_notebook():
        system.run()

    asyncio.run(as_in_a_notebook())
    assert one.output == [2, 4]


def test_propagated_history_reaches_children_and_activities():
    home = wf.WorkflowRuntime()

    def seen(ctx, *_):
        history = ctx.get_propagated_history()
        return None if history is None else [w.name for w in history.get_workflows()]

    home.register_activity(seen, name="seen")
    home.register_workflow(lambda ctx, _: seen(ctx), name="child")

    @home.workflow(name="parent")
    def parent(ctx, _):
        own = wf.PropagationScope.OWN_HISTORY
        return [
            (yield ctx.call_child_workflow("child", propagation=own)),
            (yield ctx.call_activity("seen", propagation=own)),
            (yield ctx.call_activity("seen")),
        ]

    system = InProcess({"a": home})
    one = system.schedule("a", "parent")
    system.run()
    assert one.output == [["parent"], ["parent"], None]


def test_a_workflow_without_end_is_named_after_its_turns():
    home = noting()

    @home.workflow(name="watch")
    def watch(ctx, n):
        yield ctx.call_activity("note", input=n)
        yield ctx.create_timer(timedelta(minutes=5))
        ctx.continue_as_new(n + 1)

    system = InProcess({"a": home})
    one = system.schedule("a", "watch", 0, "for-ever")
    with pytest.raises(NoRest, match="for-ever on a has not come to rest after 50 turns"):
        system.run(turns=50)
    then = system.now
    system.run(within=timedelta(hours=1))
    assert system.now - then == timedelta(hours=1)
    assert (one.status, one.generation) == ("RUNNING", one.turns // 3)


def test_a_workflow_that_calls_itself_for_ever_is_named_too():
    home = noting()

    @home.workflow(name="deeper")
    def deeper(ctx, _):
        yield ctx.call_child_workflow("deeper")

    system = InProcess({"a": home})
    system.schedule("a", "deeper", instance_id="d")
    with pytest.raises(NoRest, match=r"(?s)workflow d on a begins child.*100\d instances"):
        system.run()


def test_a_call_to_an_app_that_is_not_there_waits_until_it_is():
    home = noting()

    @home.workflow(name="one")
    def one(ctx, _):
        yield ctx.call_activity("note", input="before")
        return (yield ctx.call_activity("note", input="there", app_id="ghost"))

    system = InProcess({"a": home})
    instance = system.schedule("a", "one")
    system.run()
    assert (instance.status, instance.held) == ("RUNNING", "app ghost is not there")
    assert "app ghost is not there" in system.awaited("instance")
    system.connect("ghost", noting())
    system.run()
    assert instance.output == "there"


def test_names_that_nobody_has_are_errors_that_list_what_there_is():
    system = InProcess({"a": noting()})
    with pytest.raises(AppNotGiven, match=r"(?s)no app ghost.*the apps a"):
        system.schedule("ghost", "w")
    with pytest.raises(UnknownInstance, match=r"(?s)no instance x.*the instances none"):
        system.raise_event("x", "go")
    one = system.schedule("a", "nobody")
    with pytest.raises(CallNotAccepted, match="RUNNING"):
        system.schedule("a", "nobody")
    system.run()
    assert (one.status, one.failure.error_type) == ("FAILED", "OrchestratorNotRegisteredError")


def test_a_suspended_workflow_takes_what_came_meanwhile_after_its_resume():
    home = noting()

    @home.workflow(name="two")
    def two(ctx, _):
        yield ctx.wait_for_external_event("go")
        return (yield ctx.call_activity("note", input="went"))

    system = InProcess({"a": home})
    one = system.schedule("a", "two")
    system.run()
    system.suspend("instance")
    system.raise_event("instance", "go")
    system.run()
    assert (one.status, one.output) == ("SUSPENDED", None)
    assert "taskScheduled" not in [e.kind for e in system.history("instance")]
    system.resume("instance")
    system.run()
    assert (one.status, one.output) == ("COMPLETED", "went")


def test_the_class_of_what_a_child_raised_reaches_its_parent():
    home = wf.WorkflowRuntime()

    class Refused(Exception):
        pass

    @home.workflow(name="child")
    def child(ctx, _):
        raise Refused("no")

    @home.workflow(name="parent")
    def parent(ctx, _):
        try:
            yield ctx.call_child_workflow("child")
        except wf.TaskFailedError as problem:
            return [problem.details.error_type, problem.details.message]

    system = InProcess({"a": home})
    one = system.schedule("a", "parent")
    system.run()
    assert one.output == ["Refused", "no"]


def test_a_timer_of_an_earlier_generation_does_not_fire_in_the_next():
    home = wf.WorkflowRuntime()

    @home.workflow(name="again")
    def again(ctx, left):
        late = ctx.create_timer(timedelta(seconds=left * 10))
        winner = yield wf.when_any([ctx.wait_for_external_event("next"), late])
        if winner is late:
            return (ctx.current_utc_datetime - START).total_seconds()
        ctx.continue_as_new(left + 1)

    system = InProcess({"a": home})
    one = system.schedule("a", "again", 1)
    system.run(within=timedelta(seconds=5))
    system.raise_event("instance", "next")
    system.run()
    assert one.output == 25.0, "20 s after the 5 s; the timer of 10 s belongs to the past"


def test_terminating_a_parent_ends_its_children_as_it_is_told():
    home = wf.WorkflowRuntime()

    @home.workflow(name="child")
    def child(ctx, _):
        yield ctx.wait_for_external_event("go")

    @home.workflow(name="parent")
    def parent(ctx, _):
        yield ctx.call_child_workflow("child", instance_id=f"{ctx.instance_id}-child")

    system = InProcess({"a": home})
    for name, recursive in (("all", True), ("alone", False)):
        system.schedule("a", "parent", instance_id=name)
        system.run()
        system.terminate(name, recursive=recursive)
        system.run()
    ends = [system.instance(i).status for i in ("all", "all-child", "alone", "alone-child")]
    assert ends == ["TERMINATED", "TERMINATED", "TERMINATED", "RUNNING"]


def test_a_history_that_is_too_large_stalls_as_on_the_runtime():
    home = wf.WorkflowRuntime()
    home.register_activity(lambda ctx, mb: "x" * int(mb * 1024 * 1024), name="big")

    @home.workflow(name="piles")
    def piles(ctx, many):
        for _ in range(many):
            yield ctx.call_activity("big", input=1.5)

    @home.workflow(name="carries")
    def carries(ctx, mb):
        yield ctx.call_activity("big", input=mb)

    system = InProcess({"a": home})
    one = system.schedule("a", "piles", 4, "piles")
    other = system.schedule("a", "carries", 5, "carries")
    system.run()
    assert one.held.startswith("PAYLOAD_SIZE_EXCEEDED: Workflow payload size")
    assert "Activity result exceeds gRPC max message size" in other.error


def test_a_timer_that_is_due_on_another_day_says_which():
    wfr = wf.WorkflowRuntime()

    @wfr.workflow(name="patient")
    def patient(ctx, _):
        yield ctx.create_timer(timedelta(hours=3))
        yield ctx.create_timer(timedelta(hours=30))

    system = InProcess({"one": wfr})
    system.schedule("one", "patient", None, "i")
    system.run(within=timedelta(hours=1))
    assert system.awaited("i") == ["a timer, due at 03:00:00 UTC"]
    system.run(within=timedelta(hours=4))
    assert system.awaited("i") == ["a timer, due at 2026-01-02 09:00:00 UTC"]
