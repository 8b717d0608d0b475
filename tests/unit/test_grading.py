"""Rules of alerts are played against values and recordings, without a running system."""

from __future__ import annotations

import pytest
import yaml

from labkit.exercises.alerting import renamed
from labkit.exercises.drawing import Draw
from labkit.prometheus import WrongRules, graded, grading, played, recordings
from labkit.prometheus.grading import Recording, notation
from tests.support.views import have_prometheus

FAILED = 'dapr_runtime_workflow_execution_count{status="failed"}'
RULE = "groups:\n- name: x\n  rules:\n  - alert: {name}\n    expr: {expr}\n"


def rules(folder, expr, name="Call"):
    file = folder / "alerts.yml"
    file.write_text(RULE.format(name=name, expr=expr))
    return file


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], ""),
        ([1.0], "1"),
        ([0.0, 0.0, 0.0, 1.0], "0x2 1"),
        ([None, None, 2.5, None], "_ _ 2.5 _"),
        ([3.0, 3.0], "3x1"),
        ([123456789012.0], "123456789012"),
    ],
)
def test_values_are_written_as_promtool_reads_them(values, words):
    assert notation(values) == words


def test_the_recordings_are_three_healthy_runs_one_of_them_slow_and_more_than_four_break_labs():
    known = recordings()
    healthy = [r.name for r in known if r.healthy]
    assert {"usual", "slow", "retried"} <= set(healthy)
    assert len(known) - len(healthy) >= 4
    assert [r.healthy for r in known] == sorted((r.healthy for r in known), reverse=True)
    assert all(r.seconds > 50 and r.words for r in known)


def test_a_recording_under_other_names_has_the_same_values_and_none_of_the_names():
    known = recordings()
    others = renamed(known, Draw(1))
    for one, other in zip(known, others, strict=True):
        assert list(one.series.values()) == list(other.series.values())
        text = "\n".join(other.series)
        assert not any(n in text for n in ("notification-service", "send_email", "task_with_audit"))
        assert 'instance="scheduler"' in text


def test_a_recording_is_kept_as_it_is(tmp_path):
    recording = Recording("x", "words", True, {"up{}": [1.0, None]})
    grading.save(recording, tmp_path / "x.json.gz")
    assert grading.load(tmp_path / "x.json.gz") == recording


@have_prometheus
@pytest.mark.parametrize(
    ("values", "fired"),
    [("_x9 1x50", []), ("0x9 1x50", ["Call"]), ("1x9 2x50", ["Call"]), ("1x60", [])],
)
def test_increase_does_not_see_a_counter_that_appears(tmp_path, values, fired):
    assert played(rules(tmp_path, f"increase({FAILED}[1m]) > 0"), {FAILED: values}) == fired


@have_prometheus
def test_what_was_not_there_before_is_asked_for_by_unless(tmp_path):
    expr = f"({FAILED} unless {FAILED} offset 1m)"
    assert played(rules(tmp_path, expr), {FAILED: "_x9 1x50"}) == ["Call"]
    assert played(rules(tmp_path, expr), {FAILED: "1x200"}, 200) == ["Call"], "at its start"


@have_prometheus
def test_each_recording_is_asked_for_itself(tmp_path):
    grades = {g.recording.name: g for g in graded(rules(tmp_path, f"{FAILED} > 0", "Failed"))}
    assert grades["every-order-fails"].fired == ("Failed",)
    assert grades["usual"].fired == ()
    assert grades["usual"].good
    assert not grades["nobody-answers"].good
    assert str(grades["nobody-answers"]) == "nobody-answers: silent"


@have_prometheus
def test_the_name_of_an_alert_may_hold_odd_signs(tmp_path):
    file = rules(tmp_path, "vector(1)", "'Call {me}, \"now\"'")
    assert yaml.safe_load(file.read_text())
    assert len(played(file, {"up": "1x9"})) == 1


@have_prometheus
def test_rules_that_cannot_be_read_are_refused_before_they_are_played(tmp_path):
    with pytest.raises(WrongRules, match="line 5"):
        graded(rules(tmp_path, "up ==="))
