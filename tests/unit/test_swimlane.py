"""The picture of a run: complete, readable without colour, the same for the same input."""

from __future__ import annotations

from xml.etree import ElementTree

from labkit.apps import Down
from labkit.swimlane import Swimlane
from tests.support.recorded import recorded


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


def test_the_summary_holds_no_times():
    summary = repr(Swimlane(recorded("audited")))
    assert "COMPLETED" in summary
    assert not any(char.isdigit() for char in summary.replace("×", ""))
