"""What is cut, what the report says, and how wrong options are answered; nothing is started."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from labkit.cuts.command import main
from labkit.cuts.invariant import InvariantHangs, WrongInvariant, ask, load
from labkit.cuts.outcome import MEANINGS, Result
from labkit.cuts.plan import Cut, cut_from, cuts_of, points_of, sample
from labkit.cuts.slots import _watched
from labkit.cuts.study import Report
from labkit.cuts.svg import picture
from labkit.cuts.table import MARKS, table
from labkit.errors import LabError
from tests.support.recorded import recorded


@pytest.fixture(scope="module")
def points():
    return points_of(recorded("audited"))


def test_every_event_of_all_apps_is_a_point_and_is_found_again(points):
    history = recorded("audited")
    assert len(points) == sum(e.kind != "workflowStarted" for e in history.all_events)
    assert [p.number for p in points] == list(range(1, len(points) + 1))
    assert {p.app_id for p in points} >= {"task-orchestrator-service", "audit-service"}
    for point in points:
        own = [e for e in history.all_events if e.instance_id == point.instance_id]
        assert point.is_in(own), point
        at = next(i for i in range(len(own)) if point.is_in(own[: i + 1]))
        assert own[at].kind == point.kind
        assert not point.is_in(own[:at])


def test_a_call_of_another_app_has_a_target_and_so_has_its_end(points):
    mail = [p for p in points if p.name == "send_email"]
    assert [(p.kind, p.target) for p in mail] == [
        ("taskScheduled", "notification-service"),
        ("taskCompleted", "notification-service"),
    ]
    assert "send_email → notification-service" in str(mail[0])


def test_cuts_that_make_no_sense_are_left_out(points):
    cuts = list(cuts_of(points, ["worker", "target"]))
    assert sum(c.victim == "worker" for c in cuts) == len(points)
    assert all(c.point.target for c in cuts if c.victim == "target")
    raised = list(cuts_of(points, ["before", "after"], "raise"))
    assert {c.point.kind for c in raised} == {"taskScheduled"}
    assert len({c.name for c in cuts}) == len(cuts)
    assert all(cut_from(c.as_dict()) == c for c in [*cuts, *raised])
    assert sample(cuts, 5, seed=7) == sample(cuts, 5, seed=7)
    assert sample(cuts, 5, seed=7) != sample(cuts, 5, seed=8)


def some_report(points) -> Report:
    cuts = [Cut(p, v) for p in points[:6] for v in ("worker", "scheduler")]
    outcomes = list(MEANINGS)
    results = {
        c.name: Result(c.name, outcomes[i % len(outcomes)], 1.5, words=f"<{i}> & more")
        for i, c in enumerate(cuts[:-1])
    }
    return Report(points, cuts, Result("uncut", "held", 0.4, status="COMPLETED"), results, 12.0)


def test_the_table_names_every_outcome_in_words(points):
    text = str(table(some_report(points)))
    assert all(mark in text for mark in MARKS.values())
    assert "not played" in text
    assert "✓ 1.5 s" in text
    assert "1 not played" in text
    assert "02-worker" in text.partition("uncut:")[2]


def test_the_picture_is_well_formed_and_says_the_same(points):
    report = some_report(points)
    root = ET.fromstring(picture(report))
    words = "".join(root.itertext())
    assert all(mark in words for mark in MARKS.values())
    assert root.get("role") == "img"
    assert picture(report) == picture(report)


def test_a_report_is_good_only_when_all_cuts_were_played_and_one_was_reached(points):
    cuts = [Cut(points[0], "worker"), Cut(points[1], "worker")]
    good = Result("uncut", "held")
    held = {c.name: Result(c.name, "held") for c in cuts}
    missed = {c.name: Result(c.name, "not reached") for c in cuts}
    assert Report(points, cuts, good, held).held
    assert not Report(points, cuts, good, dict(list(held.items())[:1])).held
    assert not Report(points, cuts, good, missed).held
    assert not Report(points, cuts, Result("uncut", "violated"), {}).held


@pytest.mark.parametrize(
    ("body", "holds", "words"),
    [
        ("return None", True, ""),
        ("return []", True, ""),
        ("assert False, 'two mails'", False, "two mails"),
        ("assert False", False, "an assertion without words"),
        ("return ['a', 'b']", False, "a; b"),
        ("return False", False, "it returned False"),
        ("return {}['x']", None, "KeyError: 'x'"),
        ("raise SystemExit(3)", None, "SystemExit: 3"),
    ],
)
def test_a_promise_holds_is_broken_or_has_no_answer(tmp_path, body, holds, words):
    file = tmp_path / "promise.py"
    file.write_text(f"def it(lab, instance_id):\n    {body}\n")
    assert ask(load(f"{file}:it"), None, "w", 10) == (holds, words)


def test_a_promise_that_does_not_return_has_a_deadline(tmp_path):
    file = tmp_path / "promise.py"
    file.write_text("import time\ndef it(lab, instance_id):\n    time.sleep(5)\n")
    with pytest.raises(InvariantHangs) as caught:
        ask(load(f"{file}:it"), None, "w", 0.1)
    assert "no answer after" in caught.value.found


@pytest.mark.parametrize(
    ("text", "given", "found"),
    [
        (None, "{}:it", "there is no file"),
        ("x = 1", "{}", "FILE:FUNCTION"),
        ("def other(lab, id): ...", "{}:it", "['other']"),
        ("import no_such_module", "{}:it", "ModuleNotFoundError"),
        ("def it(:", "{}:it", "SyntaxError"),
    ],
)
def test_an_invariant_that_cannot_be_loaded_is_named(tmp_path, text, given, found):
    file = tmp_path / "promise.py"
    if text is not None:
        file.write_text(text)
    with pytest.raises(WrongInvariant) as caught:
        load(given.format(file))
    assert found in caught.value.found


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"path": "no-such-folder"}, None, "no-such-folder"),
        ({"--input": "no-such-file"}, "wrong-option", "FileNotFoundError"),
        ({"--app": "nobody"}, "wrong-study", "task-orchestrator-service"),
        ({"--event": "approval={"}, "wrong-option", "approval={"),
    ],
)
def test_wrong_options_are_answered_before_anything_starts(
    tmp_path, monkeypatch, changes, code, words
):
    monkeypatch.setenv("LABKIT_STATE", str(tmp_path / "state"))
    promise, given = tmp_path / "promise.py", tmp_path / "input.json"
    promise.write_text("def it(lab, instance_id): ...")
    given.write_text("{}")
    options = {"--workflow": "w", "--input": str(given), "--invariant": f"{promise}:it"} | changes
    path = options.pop("path", "services/dapr.yaml")
    with pytest.raises(LabError) as caught:
        main([path, *(word for pair in options.items() for word in pair)])
    assert code in (None, caught.value.code)
    assert words in str(caught.value)


def test_a_process_that_does_not_answer_is_killed_and_that_is_known():
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
    with subprocess.Popen(sleeper, stdout=subprocess.PIPE, text=True) as process:
        with _watched(process, 0.1) as late:
            assert process.stdout.readline() == ""
        assert late.is_set()
