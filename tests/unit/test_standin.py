"""Without Prometheus, lesson 15 shows recorded answers with a mark; nothing passes for live."""

from __future__ import annotations

import json

import pytest

from labkit import versions
from labkit.course import progress
from labkit.course.predictions import observe
from labkit.exercises import checking, load
from labkit.prometheus import NoPrometheus, graded, played, programs, recordings, standin
from labkit.waiting import wait_until
from tests.support.lessons import SOURCES
from tests.support.views import have_prometheus

TOLD = json.loads(standin.FILE.read_text("utf-8"))
MARK = f"recorded on {versions.DAPR_RUNTIME}, not your run"
OWN = "groups:\n- name: mine\n  rules:\n  - alert: Mine\n    expr: vector(1)\n"


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """A machine without Prometheus, on which nothing was said yet."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr("labkit.paths.caches", lambda: [tmp_path / "cache"])
    monkeypatch.setattr(standin, "_said", set())


@pytest.fixture
def rules(tmp_path):
    """The rules of the lesson, as it saves them last."""
    file = tmp_path / "alerts.yml"
    file.write_text(TOLD["rules"])
    return file


def test_what_was_recorded_are_the_rules_that_the_lesson_saves():
    lesson = (SOURCES / "15-watch-it.py").read_text("utf-8")
    asked = [one["asked"]["rules"] for one in (*TOLD["played"], *TOLD["graded"])]
    assert asked
    for text in {TOLD["rules"], *asked}:
        assert f"# %%workfile 15-watch/alerts.yml\n{text}" in lesson, "record_lesson, once more"


@have_prometheus
def test_promtool_still_says_what_was_recorded(tmp_path):
    file = tmp_path / "alerts.yml"
    for one in TOLD["played"]:
        file.write_text(one["asked"]["rules"])
        assert played(file, one["asked"]["series"], one["asked"]["seconds"]) == one["fired"]
    (one,) = TOLD["graded"]
    file.write_text(one["asked"]["rules"])
    assert {g.recording.name: list(g.fired) for g in graded(file)} == one["fired"]


@have_prometheus
def test_where_prometheus_is_nothing_is_recorded(rules, capsys):
    assert standin.instead(rules) is None
    grades = standin.graded(rules)
    assert (grades.mark, grades.answered, grades[0].mark) == ("", True, "")
    assert standin.played(rules, {"up": "1x9"}).mark == ""
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("nowhere")
def test_without_promtool_the_answers_of_the_lesson_carry_a_mark(rules, capsys):
    for one in TOLD["played"]:
        rules.write_text(one["asked"]["rules"])
        answer = standin.played(rules, one["asked"]["series"])
        assert (list(answer), answer.answered) == (one["fired"], True)
        assert str(answer) == f"{one['fired']} ({MARK})"
    rules.write_text(TOLD["rules"])
    for grade in standin.graded(rules):
        assert str(grade).endswith(f" ({MARK})")
    said = capsys.readouterr().out
    assert said.count("./lab prometheus gets it") == 1, "said once"
    assert "brew install prometheus" in said


@pytest.mark.usefixtures("nowhere")
def test_rules_of_a_learners_own_are_not_graded_and_that_is_said(rules, capsys):
    rules.write_text(OWN)
    grades = standin.graded(rules)
    assert [g.said for g in grades] == [standin.UNANSWERED] * len(recordings())
    assert not any(g.good for g in grades if not g.recording.healthy)
    assert str(standin.played(rules, {"up": "1x9"})) == standin.UNANSWERED
    assert capsys.readouterr().out.count("./lab prometheus gets it") == 2, "each time"


@pytest.mark.usefixtures("nowhere")
def test_the_recorded_prometheus_goes_through_its_answers_and_knows_no_others(rules):
    handle = standin.instead(rules)
    assert [a.name for a in wait_until(handle.alerts)] == ["OrderFailed"]
    wait_until(lambda: not handle.alerts())
    both = wait_until(lambda: handle.firing() if len(handle.firing()) > 1 else None)
    assert both == handle.firing() == ["OrderCannotGoOn", "ProgramSilent"], "the last one stays"
    assert str(both).endswith(f"({MARK})")
    assert repr(handle) == f"Prometheus({MARK})"
    with pytest.raises(NoPrometheus, match="not asked in the recorded run") as caught:
        handle.query("up")
    assert "./lab prometheus" in caught.value.fix


@pytest.mark.usefixtures("nowhere")
def test_other_rules_than_the_recorded_ones_are_named_in_the_mark(rules):
    rules.write_text(OWN)
    handle = standin.instead(rules)
    assert handle.mark == MARK.replace(",", " with other rules,")


@pytest.mark.usefixtures("nowhere")
def test_an_observation_of_what_was_recorded_is_noted_as_that(rules):
    rules.write_text(TOLD["played"][1]["asked"]["rules"])
    silent = standin.played(rules, TOLD["played"][1]["asked"]["series"])
    assert silent == []
    seen = observe("recorded", "it does not fire", silent)
    assert f"observed:  it does not fire ({MARK})" in repr(seen)
    assert next(progress.latest("recorded")).facts["mark"] == MARK
    rules.write_text(OWN)
    seen = observe("not-known", "it does not fire", standin.played(rules, {"up": "1x9"}))
    assert seen.observed == standin.UNANSWERED
    assert "does not fire" not in repr(seen) + seen._repr_html_()


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("id", ["call-somebody", "nobody-is-called"])
def test_a_check_that_needs_promtool_is_unknown_without_it_and_names_the_command(
    id, rules, monkeypatch
):
    # Even for the rules that were recorded: a check never takes a recorded answer.
    module = checking._module(load(id))
    monkeypatch.setattr(module, "load", lambda _: type("Here", (), {"work": rules.parent}))
    rows = checking._rows(module.steps(None), None)
    assert [row.outcome for row in rows] == ["unknown"]
    assert "promtool is not on this machine" in rows[0].observed
    assert "./lab prometheus gets it" in rows[0].look_at


def test_each_program_that_is_missing_is_noticed(monkeypatch, tmp_path):
    monkeypatch.setattr("labkit.paths.caches", lambda: [tmp_path])
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("prometheus", "promtool"):
        assert name in programs.missing().title
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o755)
    assert programs.missing() is None
