"""The atlas: all break labs, by symptom; found by words and by the text of a message."""

from __future__ import annotations

import json

import pytest

from labkit.build import atlas as page_of
from labkit.build import breaklabs
from labkit.exercises import in_order
from labkit.incidents import atlas, lookup
from labkit.incidents.atlas import GROUPS, entries, search
from labkit.incidents.faults import faults

MESSAGES = [
    ("order-1: Activity task #3 failed: Activity function named 'send_mail' was not registered!",
     "typo in the name of an activity"),
    ("A 'compliance_audit_workflow' orchestrator was not registered.",
     "child workflow not registered"),
    ('level=fatal msg="Fatal error from runtime: failed to load components: detected duplicate'
     ' actor state store: statestore and orders"', "two actor stores"),
    ("ConnectionError: no mail server at 127.0.0.1:25", "wrong address of the mail server"),
    ("TypeError: RetryPolicy.__init__() got an unexpected keyword argument 'max_attempts'",
     "wrong names in `RetryPolicy`"),
    ("a workflow yielded a non-Task object", "`yield` in place of `yield from`"),
    ("failed to invoke 'Execute' on activity actor: did not find address for actor "
     "dapr.internal.default.notifications-service.activity/x::0::1", "wrong app ID in the call"),
    ("No Dapr sidecar on 127.0.0.1:40123. Start one for this app first.",
     "a service gives up before its sidecar is ready"),
]  # fmt: skip


def test_every_break_lab_and_every_other_fault_is_in_the_atlas():
    known = {(e.seen, e.cause) for e in entries()}
    assert {(f.seen, f.cause) for f in faults().values()} == known
    assert {e.id for e in in_order() if e.kind == "break"} <= set(faults())


def test_the_pages_are_as_they_would_be_made_now():
    assert [*page_of.problems(), *breaklabs.problems()] == []


def test_each_cause_stands_under_the_symptom_that_it_begins_with():
    page = atlas.page()
    for group, title in GROUPS.items():
        part = page.partition(f"## {title}")[2].partition("\n## ")[0]
        assert all(f"| {e.seen} | {e.cause} |" in part for e in entries() if e.group == group)


def test_the_page_names_no_break_lab():
    page = atlas.page()
    assert not [e.id for e in in_order() if e.kind == "break" and e.id in page]


@pytest.mark.parametrize(("message", "cause"), MESSAGES, ids=[c for _, c in MESSAGES])
def test_a_message_leads_to_its_cause(message, cause):
    assert cause in [e.cause for e in search(message)][:3]


@pytest.mark.parametrize("id", [pytest.param(id, id=id) for id in faults()])
def test_the_words_of_a_symptom_lead_to_its_cause(id):
    fault = faults()[id]
    assert fault.cause in [e.cause for e in search(fault.seen)]


def test_numbers_case_and_quotes_make_no_difference():
    plain = search("no mail server at 127.0.0.1:25")
    assert search('No Mail "server" at 127.0.0.1:40123') == plain != []


def test_what_is_like_nothing_finds_nothing():
    assert search("zzzz qqqq") == []
    assert "docs/atlas.md" in atlas.atlas("zzzz qqqq")


def test_the_command_prints_what_it_finds(capsys):
    assert lookup.main(["was", "not", "registered"]) == 0
    assert "decides" in capsys.readouterr().out
    assert lookup.main(["--json", "no mail server at"]) == 0
    found = json.loads(capsys.readouterr().out)["entries"]
    assert found[0]["messages"] == ["no mail server at"]
    assert lookup.main(["zzzz"]) == 1
    capsys.readouterr()
    assert lookup.main([]) == 0
    assert len(capsys.readouterr().out) > 2000


@pytest.mark.parametrize("text", ["xqzzy " * 500, "xqzzy" * 500])
def test_a_long_text_that_fits_nothing_is_not_repeated_whole(text):
    assert len(str(atlas.atlas(text))) < 200
    assert "'xqzzy" in str(atlas.atlas(text))
