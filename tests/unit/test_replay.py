"""Workflow code over histories that were recorded on the real runtime."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import dapr.ext.workflow as wf
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from labkit import paths
from labkit.history import CannotBeShown, RunHistory, from_json, status_of, to_json
from labkit.history.stillness import standstill
from labkit.inprocess import EndlessTurn, InProcess
from labkit.replay import NoService, replay, restarted, runtime_of
from labkit.turns import registry_of
from tests.support.recorded import recorded

SERVICE = paths.repo() / "services" / "task-orchestrator-service" / "main.py"


def test_each_turn_asks_for_what_the_history_holds_next():
    turns = replay(runtime_of(SERVICE), recorded("audited").events)
    assert [t.asks for t in turns] == [
        ("validate_task",),
        ("assign_task",),
        ("send_email",),
        ("compliance_audit_workflow",),
        ("end",),
    ]
    assert [len(t.answered) for t in turns] == [0, 1, 2, 3, 4]
    assert not any(t.failure for t in turns)


def test_retries_and_their_timers_are_replayed():
    turns = replay(runtime_of(SERVICE), recorded("retried").events)
    assert [a for t in turns for a in t.asks].count("timer") == 2
    assert turns[-1].asks == ("end",)


def test_changed_code_that_does_not_fit_is_found(tmp_path):
    changed = tmp_path / "main.py"
    text = SERVICE.read_text()
    start = text.index("def task_with_audit")
    old = "    yield ctx.call_activity(assign_task, input=order.model_dump())\n"
    changed.write_text(text[:start] + text[start:].replace(old, "", 1))
    turns = replay(runtime_of(changed), recorded("audited").events)
    assert [t.asks for t in turns] == [("validate_task",), ("send_email",), ("end",)]
    assert "history mismatch" in turns[-1].failure


def test_nothing_of_an_activity_is_run(tmp_path):
    changed = tmp_path / "main.py"
    body = '    """Say whether a task can be worked on."""\n'
    changed.write_text(SERVICE.read_text().replace(body, body + "    raise SystemExit(9)\n"))
    assert replay(runtime_of(changed), recorded("audited").events)[-1].asks == ("end",)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(NoService, match="no-service"):
        runtime_of(tmp_path / "main.py")


# --- what the records carry ------------------------------------------------------------------


def ran(runtime, workflow, *acts, given=None):
    """Return the histories of an instance and its children, as they are after ``acts``."""
    system = InProcess({"a": runtime})
    system.schedule("a", workflow, given, "w")
    system.run()
    for act in acts:
        act(system)
        system.run()
    return {i.instance_id: system.history(i.instance_id) for i in system.instances.values()}


def noting() -> wf.WorkflowRuntime:
    runtime = wf.WorkflowRuntime()
    runtime.register_activity(lambda ctx, text: text, name="note")
    return runtime


def go(system):
    system.raise_event("w", "go", "went")


@pytest.mark.parametrize("acts", [(), (go,)], ids=["still waits", "went"])
@pytest.mark.parametrize(
    "waits",
    [
        lambda ctx: ctx.wait_for_external_event("go"),
        lambda ctx: ctx.wait_for_external_event("go", timeout=timedelta(seconds=-1)),
        lambda ctx: wf.when_any(
            [ctx.wait_for_external_event("go"), ctx.create_timer(timedelta(days=9))]
        ),
        lambda ctx: wf.when_all([ctx.wait_for_external_event("go"), ctx.call_activity("note")]),
    ],
    ids=["alone", "negative", "raced", "with an activity"],
)
def test_a_wait_without_time_out_is_replayed(waits, acts):
    runtime = noting()

    def waiting(ctx, _):
        yield ctx.call_activity("note", input="before")
        yield waits(ctx)
        return "done"

    runtime.register_workflow(waiting, name="waits")
    turns = replay(runtime, ran(runtime, "waits", *acts)["w"])
    assert [t.failure for t in turns] == [None] * len(turns)


def patched(newer: bool, dropped: bool = False) -> wf.WorkflowRuntime:
    runtime = noting()

    def workflow(ctx, _):
        yield ctx.call_activity("note", input="start")
        if newer and ctx.is_patched("check"):
            yield ctx.call_activity("note", input="check")
        yield ctx.wait_for_external_event("go")
        return "newer" if newer and not dropped and ctx.is_patched("check") else "older"

    runtime.register_workflow(workflow, name="patched")
    return runtime


def test_patched_code_fits_what_began_before_it_and_after_it():
    for before in (False, True):
        for acts in ((), (go,)):
            history = ran(patched(before), "patched", *acts)["w"]
            turns = replay(patched(newer=True), history)
            assert [t.failure for t in turns] == [None] * len(turns)
            asks = [a for t in turns for a in t.asks]
            assert asks.count("note") == (2 if before else 1), "the past takes no new patch"


def test_code_without_a_patch_that_the_history_has_is_held():
    turns = replay(patched(newer=False), ran(patched(newer=True), "patched")["w"])
    assert turns[-1].status == "STALLED"
    assert turns[-1].failure.startswith("PATCH_MISMATCH: Patch mismatch. History patches: [check]")


def claims(*versions: str) -> wf.WorkflowRuntime:
    runtime = noting()
    for version in versions:

        def claim(ctx, _, version=version):
            for number in range(len(version)):  # versions differ in their steps
                yield ctx.call_activity("note", input=number)
            return version

        runtime.register_versioned_workflow(
            claim, name="claim", version_name=version, is_latest=version == versions[-1]
        )
    return runtime


def test_an_instance_is_replayed_with_the_version_that_ran_it():
    history = ran(claims("first"), "claim")["w"]
    assert replay(claims("first", "second one"), history)[-1].output == '"first"'
    held = replay(claims("second one"), history)[-1]
    assert (held.status, held.failure) == (
        "STALLED",
        "VERSION_NOT_AVAILABLE: Version not available: first",
    )


def test_code_that_asks_for_another_step_than_the_one_that_is_open_does_not_fit():
    def released(step):
        runtime = noting()

        def workflow(ctx, _):
            yield ctx.call_activity("note", input="x")
            yield step(ctx)

        runtime.register_workflow(workflow, name="w")
        return runtime

    waits = released(lambda ctx: ctx.create_timer(timedelta(days=1)))
    system = InProcess({"a": waits})
    system.schedule("a", "w")
    system.run(within=timedelta(0))
    history = system.history("instance")
    assert replay(waits, history)[-1].failure is None
    other = replay(released(lambda ctx: ctx.call_activity("note", input="y")), history)[-1]
    assert "A previous execution called create_timer with ID=2" in other.failure


def test_a_workflow_sees_its_own_instance_id_and_app():
    runtime = wf.WorkflowRuntime()

    @runtime.workflow(name="who")
    def who(ctx, _):
        return [ctx.instance_id, ctx.app_id]
        yield

    assert replay(runtime, ran(runtime, "who")["w"])[-1].output == '["w", "a"]'


def test_the_history_of_a_parent_is_needed_where_a_child_reads_it():
    runtime = wf.WorkflowRuntime()

    @runtime.workflow(name="child")
    def child(ctx, _):
        history = ctx.get_propagated_history()
        return None if history is None else [w.instance_id for w in history.get_workflows()]

    @runtime.workflow(name="parent")
    def parent(ctx, propagates):
        scope = wf.PropagationScope.LINEAGE if propagates else None
        yield ctx.call_child_workflow("child", instance_id="c", propagation=scope)

    for propagates, seen in ((True, '["w"]'), (False, None)):
        histories = ran(runtime, "parent", given=propagates)
        with pytest.raises(CannotBeShown, match="the history that the parent passed on"):
            replay(runtime, histories["c"])
        above = [RunHistory("a", "w", tuple(histories["w"]))]
        assert replay(runtime, histories["c"], above)[-1].output == seen
        with pytest.raises(CannotBeShown, match="no such call"):
            replay(runtime, histories["c"], [RunHistory("a", "w", tuple(histories["w"][:2]))])


def test_what_came_while_it_was_suspended_is_asked_for_once():
    runtime = noting()

    @runtime.workflow(name="two")
    def two(ctx, _):
        yield ctx.wait_for_external_event("go")
        return (yield ctx.call_activity("note", input="x"))

    acts = (lambda s: s.suspend("w"), go, lambda s: s.resume("w"))
    turns = replay(runtime, ran(runtime, "two", *acts)["w"])
    assert [t.asks for t in turns] == [("timer",), (), (), ("note",), ("end",)]


def test_a_history_of_an_older_recording_is_replayed():
    """Histories recorded before versions, patches and nanoseconds were kept."""
    runtime = noting()
    runtime.register_workflow(waits_for_go, name="w")
    rows = to_json(ran(runtime, "w", go)["w"])
    newer = ("fire_nanos", "timer_of", "parent_app_id", "parent_instance_id")
    old = [{k: v for k, v in row.items() if k not in newer} for row in rows]
    assert old != rows
    assert replay(runtime, from_json(old))[-1].status == "COMPLETED"


def waits_for_go(ctx, _):
    yield ctx.wait_for_external_event("go")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("x = 1\n", "no WorkflowRuntime at the top level"),
        ("import sys\nsys.exit(3)\n", "exit code 3"),
        ("import dapr.ext.workflow as wf\na, b = wf.WorkflowRuntime(), wf.WorkflowRuntime()", "2"),
    ],
)
def test_a_file_that_is_no_service_is_told_what_it_lacks(tmp_path, text, found):
    file = tmp_path / "main.py"
    file.write_text(text)
    with pytest.raises(NoService, match=found):
        runtime_of(file)


def test_a_file_that_starts_its_worker_when_it_is_read_is_loaded_up_to_there(tmp_path):
    file = tmp_path / "main.py"
    file.write_text(
        "import dapr.ext.workflow as wf\nw = wf.WorkflowRuntime()\n"
        "@w.workflow(name='one')\ndef one(ctx, _):\n    return None\n"
        "w.start()\nraise SystemExit('and waits here for ever')\n"
    )
    assert list(registry_of(runtime_of(file)).orchestrators) == ["one"]


def test_a_service_of_several_files_is_loaded_again_with_all_of_them(tmp_path):
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "flows.py").write_text(
            "import dapr.ext.workflow as wf\nruntime = wf.WorkflowRuntime()\n"
            f"@runtime.workflow(name={name!r})\ndef w(ctx, _):\n    return None\n"
        )
        (folder / "app.py").write_text("from flows import runtime\n")
        assert list(registry_of(runtime_of(folder / "app.py")).orchestrators) == [name]


def test_a_history_without_a_turn_has_nothing_to_replay():
    assert replay(noting(), []) == []
    with pytest.raises(CannotBeShown, match="a history without a turn"):
        restarted(noting(), [])


def test_a_turn_that_no_worker_ends_is_said():
    """Suspended twice, then resumed: the SDK keeps what it kept, for ever (found by a property)."""
    runtime = noting()
    runtime.register_workflow(lambda ctx, _: (yield ctx.wait_for_external_event("go")), name="w")
    system = InProcess({"a": runtime})
    system.schedule("a", "w")
    for act in (system.suspend, system.suspend, system.resume):
        system.run()
        act("instance")
    with pytest.raises(EndlessTurn, match="instance was suspended twice and then resumed"):
        system.run()


def test_who_is_suspended_twice_is_not_advised_to_resume_and_can_be_terminated():
    runtime = noting()
    runtime.register_workflow(lambda ctx, _: (yield ctx.wait_for_external_event("go")), name="w")
    system = InProcess({"a": runtime})
    system.schedule("a", "w")
    advised = []
    for act in (system.suspend, system.resume, system.suspend, system.suspend):
        act("instance")
        system.run()
        history = RunHistory("a", "instance", tuple(system.history("instance")))
        advised.append(standstill(history, system.instance("instance").status)[1])
    assert ["resume_workflow" in fix for fix in advised] == [True, False, True, False]
    assert "terminate it while it is suspended" in advised[-1]
    system.terminate("instance")
    system.run()
    assert system.instance("instance").status == "TERMINATED"


def test_a_history_with_a_turn_that_no_worker_ends_is_said():
    runtime = noting()
    runtime.register_workflow(lambda ctx, _: (yield ctx.wait_for_external_event("go")), name="w")
    system = InProcess({"a": runtime})
    system.schedule("a", "w")
    for act in (system.suspend, system.suspend):
        system.run()
        act("instance")
    system.run()
    held = system.history("instance")
    turn = [e for e in held if e.kind in ("workflowStarted", "executionSuspended")][-2:]
    resumed = [turn[0], replace(turn[1], kind="executionResumed")]
    with pytest.raises(EndlessTurn):
        replay(runtime, [*held, *resumed])


STEPS = {
    "activity": lambda ctx, n: ctx.call_activity("note", input=n),
    "failing": lambda ctx, n: ctx.call_activity("nobody"),
    "retried": lambda ctx, n: ctx.call_activity("nobody", retry_policy=TWICE),
    "timer": lambda ctx, n: ctx.create_timer(timedelta(seconds=n)),
    "event": lambda ctx, n: ctx.wait_for_external_event("go"),
    "limited": lambda ctx, n: ctx.wait_for_external_event("go", timeout=timedelta(seconds=n + 1)),
    "child": lambda ctx, n: ctx.call_child_workflow("child", input=n),
    "failing child": lambda ctx, n: ctx.call_child_workflow("nobody"),
}
TWICE = wf.RetryPolicy(first_retry_interval=timedelta(seconds=1), max_number_of_attempts=2)
STEP = st.sampled_from(sorted(STEPS))


@settings(max_examples=60)
@given(
    plan=st.lists(
        st.tuples(st.sampled_from(["one", "all", "any"]), st.lists(STEP, min_size=1, max_size=3)),
        max_size=5,
    ),
    acts=st.lists(st.sampled_from(["go", "suspend", "resume", "terminate"]), max_size=5),
    again=st.booleans(),
)
@example(plan=[("one", ["event"])], acts=["suspend", "suspend", "resume"], again=False)
@example(plan=[("one", ["event"])], acts=["suspend", "go", "suspend", "resume", "go"], again=True)
@example(plan=[("one", ["event"])] * 2, acts=["suspend", "go", "resume"], again=False)
@example(plan=[("one", ["event"])] * 3, acts=["suspend", "go", "resume", "go", "go"], again=False)
def test_whatever_a_workflow_does_in_process_is_replayed(plan, acts, again):
    runtime = noting()

    def steps(ctx, first):
        for number, (how, names) in enumerate(plan):
            made = [STEPS[name](ctx, number) for name in names]
            waited = made[0] if how == "one" else getattr(wf, f"when_{how}")(made)
            try:
                yield waited
            except (TimeoutError, wf.TaskFailedError):
                yield ctx.call_activity("note", input=f"failed {number}")
            if ctx.is_patched(f"patch {number}"):
                ctx.set_custom_status(str(number))
        if again and first:
            ctx.continue_as_new(False, save_events=True)
        return len(plan)

    runtime.register_workflow(steps, name="w")
    runtime.register_workflow(lambda ctx, n: n, name="child")
    system = InProcess({"a": runtime})
    system.schedule("a", "w", True)
    try:
        for act in acts:
            system.run()
            if system.instance("instance").status == "STALLED":
                break
            if act == "go":
                system.raise_event("instance", "go", 1)
            else:
                getattr(system, act)("instance")
        system.run()
    except EndlessTurn:
        assert "suspend suspend" in " ".join(a for a in acts if a != "go")
        return
    history, instance = system.history("instance"), system.instance("instance")
    assert status_of(history) == instance.status
    assert from_json(to_json(history)) == history
    turns = replay(runtime, history)
    if turns[-1].status == "STALLED":  # docs/facts-wait.md: an event before the resume
        assert "PATCH_MISMATCH" in str(turns[-1].failure)
        assert re.search("suspend( go)+ resume", " ".join(acts))
        if instance.status == "STALLED":  # the turn that stalled had an event more
            said = [text.partition(", current")[0] for text in (instance.held, turns[-1].failure)]
            assert said[0] == said[1]
        return
    assert (turns[-1].status or instance.status) == instance.status, turns[-1]
    assert turns[-1].failure == instance.error
