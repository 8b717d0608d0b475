"""A long text wraps between words in a notebook, and stays what it is elsewhere."""

from __future__ import annotations

from labkit.course.predictions import Line
from labkit.notebook.texts import Text
from tests.support.recorded import recorded


def test_html_wraps_between_words_and_the_plain_text_is_the_text_itself():
    text = Text("a <b> c\n  d")
    assert repr(text) == str(text) == "a <b> c\n  d"
    html = text._repr_html_()
    assert "a &lt;b&gt; c\n  d</pre>" in html
    assert "white-space:pre-wrap" in html
    assert "word-break:normal" in html


def test_there_is_one_such_text():
    assert Text is Line


def test_a_history_wraps_too():
    history = recorded("audited")
    assert "pre-wrap" in history._repr_html_()
