"""The picture of a run: complete, readable without colour, the same for the same input."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import combinations, pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.apps.app import Down
from labkit.history import Cut, HistoryEvent, RunHistory, connections, cuts
from labkit.swimlane import Swimlane
from labkit.swimlane.account import Account
from labkit.swimlane.layout import WIDTH, laid_out
from labkit.swimlane.measure import width_of
from labkit.swimlane.names import short_forms
from labkit.swimlane.style import COLOUR
from tests.support.recorded import killed, recorded
from tests.support.scenarios import recorded_runs


def picture_of(name: str) -> Swimlane:
    """The picture of a recorded run in which something was killed."""
    run = killed(name)
    now = max(e.time for e in run.history.all_events).timestamp() + 0.5
    return Swimlane(run.history, run.down, run.cuts, now)


def marks_of(name: str):
    run = killed(name)
    picture = laid_out(Account(run.history, run.down, run.cuts))
    return [m for lane in picture.lanes for m in lane.marks], picture


def test_every_app_and_every_step_is_in_it():
    picture = Swimlane(recorded("audited"))
    for word in ("notification-service", "audit-service", "raise_compliance_alert", "send_email"):
        assert word in picture.svg
        assert word in picture.text


def test_the_same_input_gives_the_same_bytes():
    assert Swimlane(recorded("retried")).svg == Swimlane(recorded("retried")).svg


def test_it_is_well_formed_and_says_in_words_what_it_shows():
    root = ElementTree.fromstring(Swimlane(recorded("audited")).svg)
    assert root.get("role") == "img"
    assert [e.tag.rpartition("}")[2] for e in root][:2] == ["title", "desc"]
    assert "http" not in Swimlane(recorded("audited")).svg.replace("http://www.w3.org/2000/svg", "")


def test_a_failed_try_differs_by_a_sign_and_not_by_colour_alone():
    assert "failed" in Swimlane(recorded("retried")).text
    assert "cross: failed" in Swimlane(recorded("retried")).svg
    assert "cross: failed" not in Swimlane(recorded("audited")).svg


def test_the_time_an_app_was_down_is_drawn_within_the_run():
    run = recorded("retried")
    begin = run.events[0].time.timestamp()
    inside = Down("notification-service", "worker", begin + 0.2, begin + 0.5)
    before = Down("notification-service", "worker", begin - 9, begin - 8)
    assert "worker down" in Swimlane(run, [inside]).svg
    assert "worker down" not in Swimlane(run, [before]).svg


def test_a_time_down_that_began_before_the_run_counts_from_its_first_event():
    run = recorded("retried")
    begin = min(e.time for e in run.all_events).timestamp()
    text = Swimlane(run, [Down(run.app_id, "worker", begin - 5, begin + 0.2)]).text
    (row,) = [line for line in text.splitlines() if "worker down" in line]
    assert row.split()[:4] == ["0.000", "s", "0.200", "s"]


def test_the_summary_holds_no_times():
    summary = repr(Swimlane(recorded("audited")))
    assert "COMPLETED" in summary
    assert not any(char.isdigit() for char in summary.replace("×", ""))


@pytest.mark.parametrize("name", ["worker", "remote", "sidecar", "app"])
def test_a_run_that_was_cut_off_and_the_next_one_are_two_bars(name):
    marks, _ = marks_of(name)
    cut = [m for m in marks if m.outcome == "cut"]
    assert len(cut) == 1
    (again,) = [m for m in marks if "(run 2)" in m.label]
    assert cut[0].label == again.label.replace("run 2", "cut off")
    assert cut[0].x + cut[0].width < again.x
    assert "cut off" in picture_of(name).text
    assert "completed, run 2" in picture_of(name).text
    assert "in run 2, cut off before" in picture_of(name).summary


@pytest.mark.parametrize("name", ["worker", "remote", "sidecar", "app"])
def test_the_band_lasts_until_a_worker_was_connected_again(name):
    marks, picture = marks_of(name)
    ((band),) = [b for lane in picture.lanes for b in lane.bands]
    (again,) = [m for m in marks if "(run 2)" in m.label]
    assert abs(band.x + band.width - again.x) < 1
    started = [d.end for d in killed(name).down]
    assert all(end in killed(name).connected for end in started)


def test_the_band_of_a_kill_is_longer_than_the_start_of_a_process():
    (down,) = killed("worker").down
    assert down.end - down.start > 0.1, "a Python worker takes longer to connect"


def test_a_call_that_waited_for_the_worker_was_not_cut():
    run = killed("worker")
    others = [replace(c, number=99) for c in run.cuts]
    assert "cut off" not in Swimlane(run.history, run.down, others).text


def test_a_run_that_is_still_cut_off_ends_at_the_cut():
    picture = picture_of("gone")
    assert "cut off, not back yet" in picture.summary
    assert "(worker down)  not back yet" in picture.text
    assert "worker down" in picture.svg
    assert "(run 2)" not in picture.svg


def test_names_that_repeat_carry_their_input():
    picture = picture_of("worker")
    for name in ("greet Ada", "greet Bob", "greet Cleo"):
        assert f"{name}<" in picture.svg or f"{name} (" in picture.svg
        assert name in picture.text
        assert name in picture.summary


@pytest.mark.parametrize(
    ("inputs", "forms"),
    [
        (["Ada", "Bob"], ["Ada", "Bob"]),
        ([1, 2, 2], ["1", "2", "2"]),
        (["same", "same"], ["", ""]),
        ([None, "x"], ["null", "x"]),
        ([{"id": "4f2a9c1b", "to": "a"}, {"id": "5f2a9c1b", "to": "b"}], ["a", "b"]),
        (
            [{"kind": "x", "to": "a"}, {"kind": "y", "to": "b"}, {"kind": "y", "to": "c"}],
            list("abc"),
        ),
        ([{"a": {"deep": 1}}, {"a": {"deep": 2}}], ["", ""]),
        ([{}, {"a": 1}], ["", ""]),
        (["a long text of many words\nand lines", "b"], ["a long text of many…", "b"]),
        (["2026-11-25T10:00:00", "2026-11-25T10:00:01"], ["", ""]),
    ],
)
def test_a_short_form_tells_inputs_apart(inputs, forms):
    assert short_forms(inputs) == forms


@pytest.mark.parametrize("name", ["worker", "remote", "sidecar", "app", "gone"])
def test_no_bar_lies_on_another_and_no_label_leaves_the_picture(name):
    _, picture = marks_of(name)
    for lane in picture.lanes:
        for one in lane.marks:
            assert 0 < one.label_x < WIDTH
            for two in lane.marks:
                if one is not two and one.y == two.y:
                    assert one.x + one.width <= two.x or two.x + two.width <= one.x


def test_text_outside_bars_has_a_halo_and_is_drawn_last():
    svg = picture_of("remote").svg
    last_arrow, first_label = svg.rindex("marker-end"), svg.index("paint-order")
    assert last_arrow < first_label
    title = re.search(r"<text[^>]*>target</text>", svg)
    assert title is not None
    assert "paint-order" in title[0]


def test_it_keeps_its_size_where_the_page_is_narrow_and_scrolls_by_keyboard():
    html = picture_of("worker").html
    assert "overflow-x:auto" in html
    assert 'tabindex="0"' in html
    assert re.search(r"min-width:(\d+)px", html)[1] == "800"


@pytest.mark.parametrize("paper", ["#ffffff", "#111111"])
def test_every_colour_is_seen_on_light_and_on_dark(paper):
    for name, colour in COLOUR.items():
        assert _contrast(colour, paper) >= 3, f"{name} on {paper}"


def _contrast(one: str, two: str) -> float:
    high, low = sorted((_luminance(one), _luminance(two)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


LINE = (
    'time="2026-11-25T17:47:03.327597608Z" level=info msg="work item stream established by '
    'user-agent: [grpc]" app_id=x'
)
ABORTED = (
    'time="2026-11-25T17:47:02.5Z" level=warning msg="a::b::2::1: execution failed with a '
    'recoverable error and will be retried later: execution aborted" app_id=x'
)


def test_connections_and_cuts_are_read_from_a_log():
    (cut,) = cuts("x", f"{ABORTED}\n{LINE}\nwork item stream established, without a time\n")
    assert (cut.app_id, cut.instance_id, cut.number) == ("x", "a::b", 2)
    assert cut.again - cut.at == pytest.approx(0.827597)
    assert connections("nothing of this") == []
    assert cuts("x", ABORTED)[0].again is None


@pytest.mark.parametrize("fraction", ["", ".3", ".32759", ".327597608"])
def test_a_time_is_read_with_any_number_of_digits(fraction):
    (moment,) = connections(LINE.replace(".327597608", fraction))
    assert moment % 1 == pytest.approx(float(fraction or 0), abs=1e-5)


def test_a_log_in_json_says_the_same():
    log = '{"app_id":"x","msg":"work item stream established by x","time":"2026-11-25T17:47:03.3Z"}'
    assert connections(log) == [pytest.approx(connections(LINE)[0], abs=0.03)]


@st.composite
def runs(draw) -> tuple[RunHistory, list[Cut]]:
    """A run with calls at any times, some of them remote, not ended, or cut off."""
    zero = datetime(2026, 1, 1, tzinfo=timezone.utc)
    events, gone = [_event(zero, "executionStarted", name="w")], []
    for number in range(1, draw(st.integers(1, 14))):
        at = zero + timedelta(milliseconds=draw(st.integers(0, 9000)))
        took = timedelta(milliseconds=draw(st.integers(0, 3000)))
        name = draw(st.sampled_from(["send", "a_very_long_name_of_an_activity", "x"]))
        target = draw(st.sampled_from([None, "target"]))
        whom = draw(st.sampled_from(['"Ada"', '{"to": "bob@example.com"}', "7", "null"]))
        call = _event(
            at, "taskScheduled", event_id=number, name=name, target_app_id=target, input=whom
        )
        events.append(call)
        if draw(st.booleans()):
            cut_at, again = at + took / 3, at + took / 2
            gone.append(Cut(target or "caller", "i", number, cut_at.timestamp(), again.timestamp()))
        if draw(st.booleans()):
            kind = draw(st.sampled_from(["taskCompleted", "taskFailed"]))
            events.append(_event(at + took, kind, task_id=number))
    ordered = sorted(events, key=lambda e: e.time)
    return RunHistory("caller", "i", tuple(ordered)), gone


def _event(at: datetime, kind: str, **more) -> HistoryEvent:
    return HistoryEvent("caller", "i", 0, kind, at, **more)


@settings(max_examples=60)
@given(runs(), st.floats(0, 5))
def test_no_label_lies_on_another_whatever_happened(run, later):
    history, gone = run
    now = max(e.time for e in history.events).timestamp() + later
    account = Account(history, [Down("target", "worker", now - 1, None)], gone, now)
    for lane in laid_out(account).lanes:
        spaces = [
            (m.y, min(m.x, m.label_x), max(m.x + m.width, m.label_x + width_of(m.label)))
            for m in lane.marks
        ]
        for one, two in combinations(spaces, 2):
            assert one[0] != two[0] or one[2] <= two[1] or two[2] <= one[1]
    ElementTree.fromstring(Swimlane(history, [], gone, now).svg)


@settings(max_examples=60)
@given(runs())
def test_the_text_has_a_row_for_every_run_of_a_step(run):
    history, gone = run
    account = Account(history, [], gone)
    spans = [s for step in history.steps() for s in account.spans(step)]
    rows = Swimlane(history, [], gone).text.splitlines()
    assert len(rows) == len(spans) + 3, "a head, the workflow, and its status"
    assert sum(s.outcome == "cut" for s in spans) == sum("cut off" in r for r in rows)
    for step in history.steps():
        own = account.spans(step)
        assert [s.run for s in own] == list(range(1, len(own) + 1))
        assert all(a.ended <= b.began for a, b in pairwise(own))


# --- what happens to a workflow as a whole ---------------------------------------------------


@pytest.mark.parametrize(
    ("scenario", "head", "marks"),
    [
        ("paused", "paused on front: COMPLETED", ["suspended", "resumed"]),
        ("approve-ended", "approve on front: TERMINATED", ["terminated"]),
        ("claim-rolled-back", "claim on front: STALLED: VERSION_NOT_AVAILABLE", ["stalled"]),
        ("patched-rolled-back", "patched on front: STALLED: PATCH_MISMATCH", ["stalled"]),
        ("count-down", "count_down on front: COMPLETED, continued as new", []),
        ("gather-at-once", "gather on front: COMPLETED, continued as new", []),
        ("gather-lost-at-once", "gather on front: RUNNING, continued as new", []),
        ("approve-waits", "approve on front: RUNNING", []),
    ],
)
def test_a_picture_says_what_was_done_to_the_workflow_and_why_it_stands(scenario, head, marks):
    (name, outcome) = next(iter(recorded_runs("programs")[scenario].items()))
    run = RunHistory(*name.split("/"), outcome.events)
    picture = Swimlane(run)
    assert picture.summary.splitlines()[0] == head
    drawn = [m for lane in laid_out(Account(run)).lanes for m in lane.marks if m.shape == "mark"]
    assert [m.label for m in drawn] == marks
    assert [w in picture.text for w in marks] == [True] * len(marks)
    assert ("triangle: to the workflow itself" in picture.svg) == bool(marks)
    ElementTree.fromstring(picture.svg)


def test_a_stalled_workflow_goes_on_to_the_right_edge_with_its_reason():
    outcome = recorded_runs("programs")["claim-rolled-back"]["front/claim-rolled-back"]
    run = RunHistory("front", "x", outcome.events)
    now = max(e.time for e in run.events).timestamp() + 60
    (bar, *_) = laid_out(Account(run, now=now)).lanes[0].marks
    assert (bar.label, bar.outcome) == ("claim (STALLED: VERSION_NOT_AVAILABLE)", "running")
    assert bar.x + bar.width == pytest.approx(WIDTH - 24)
    assert "Version not available: second" in Swimlane(run).summary


def test_events_that_were_taken_along_do_not_stretch_the_time():
    outcome = recorded_runs("programs")["gather-at-once"]["front/gather-at-once"]
    assert laid_out(Account(RunHistory("front", "x", outcome.events))).seconds < 60
