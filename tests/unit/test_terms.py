"""The glossary: found by any of its words, near ones for a wrong one, and all on one page."""

from __future__ import annotations

import pytest

from labkit import glossary, paths
from labkit.build import glossary as built
from labkit.course.terms import terms


@pytest.mark.parametrize("word", ["sidecar", "Sidecars", " SIDECAR ", "daprd"])
def test_a_word_is_found_by_all_of_its_names(word):
    shown = glossary(word)
    assert [t.term for t in shown.terms] == ["sidecar"]
    assert repr(shown).startswith("sidecar (also: daprd): ")
    assert "<dt><b>sidecar</b>" in shown._repr_html_()


@pytest.mark.parametrize(
    ("wrong", "near"),
    [("sidcar", "sidecar"), ("remote activty", "remote activity"), ("replaying", "replay")],
)
def test_a_word_that_is_not_there_is_answered_with_what_is_near(wrong, near):
    shown = glossary(wrong)
    assert "no entry" in repr(shown)
    assert near in [t.term for t in shown.terms]
    assert wrong in shown._repr_html_()


def test_a_word_that_nothing_is_near_to_is_answered_with_the_list():
    assert "activity, actor state store" in repr(glossary("<quux>"))
    assert "&lt;quux&gt;" in glossary("<quux>")._repr_html_()


def test_without_a_word_all_are_shown_by_name():
    names = [t.term for t in glossary().terms]
    assert names == sorted(names, key=str.lower)
    assert names == [t.term for t in terms()]


def test_every_meaning_is_a_short_text_of_whole_sentences():
    for term in terms():
        assert term.meaning[0].isupper(), term.term
        assert term.meaning.endswith("."), term.term
        assert len(term.meaning.split()) <= 45, term.term


def test_the_page_has_an_anchor_for_each_term_and_every_link_has_its_end():
    page = built.page()
    anchors = [built.anchor(line[3:]) for line in page.splitlines() if line.startswith("## ")]
    assert anchors == [built.anchor(t.term) for t in terms()]
    assert len(set(anchors)) == len(anchors)
    for part in page.split("](#")[1:]:
        assert part.partition(")")[0] in anchors


def test_a_page_that_drifted_or_a_reference_to_nothing_is_seen(tmp_path, monkeypatch):
    assert list(built.problems()) == []
    (tmp_path / "authoring" / "lessons").mkdir(parents=True)
    (tmp_path / "docs").mkdir()
    entries = "- {term: a, meaning: A., see: [b]}\n- {term: A, meaning: A.}\n"
    (tmp_path / "authoring" / "glossary.yaml").write_text(entries)
    monkeypatch.setattr(paths, "repo", lambda: tmp_path)
    found = "\n".join(built.problems())
    assert "'a' twice" in found
    assert "to 'b'" in found
    assert "differs" in found
