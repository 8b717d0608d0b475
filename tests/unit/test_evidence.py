"""What a learner did is kept, whatever happens to the file, the kernel or the machine."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from labkit import paths, progress
from labkit.cli import progress as cli
from labkit.predictions import finish, observe, predict
from labkit.quizzes import NoSuchQuestion, question, questions, quiz

ASKED = "recorded-steps"


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_STATE", str(tmp_path / "state"))


def test_a_prediction_is_saved_at_once_and_shown_beside_the_observation():
    asked = predict("mails", ["none", "one"])
    asked.choose("one")
    seen = observe("mails", "none")
    assert (seen.predicted, seen.observed) == ("one", "none")
    assert "You predicted" in seen._repr_html_()
    assert progress.newest("prediction", "mails").facts["choice"] == "one"


@pytest.mark.parametrize(
    ("predicted", "verdict"), [("one", "✓ as you predicted"), ("none", "✗ a surprise")]
)
def test_an_observation_says_by_sign_and_word_whether_it_was_predicted(predicted, verdict):
    predict("mails", ["none", "one"]).choose(predicted)
    seen = observe("mails", "one")
    assert verdict in seen._repr_html_()
    assert repr(seen).endswith(verdict)


def test_without_a_prediction_nothing_is_said_about_it():
    seen = observe("mails", "one")
    assert seen.verdict == ""
    assert repr(seen) == "predicted: (nothing saved)\nobserved:  one"


def test_a_prediction_can_be_changed_until_the_result_was_seen():
    asked = predict("mails", ["none", "one"])
    asked.choose("none")
    asked.choose("one")
    assert observe("mails", "one").predicted == "one"


def test_a_choice_after_the_observation_does_not_replace_the_prediction_and_that_is_said():
    asked = predict("mails", ["none", "one"])
    asked.choose("none")
    observe("mails", "one")
    told = asked.choose("one")
    assert "first prediction is kept: <b>none</b>" in told
    assert asked.chosen == "none", "the buttons show what is saved"
    assert "run the next cell" not in told
    assert observe("mails", "one").predicted == "none"
    assert predict("mails", ["none", "one"]).chosen == "none"
    assert len(progress.entries("prediction", "mails")) == 1


def test_a_prediction_that_came_after_the_result_is_shown_as_such():
    observe("mails", "one")
    assert "already seen the result" in predict("mails", ["none", "one"]).choose("one")
    seen = observe("mails", "one")
    assert seen.late
    assert "✓" not in repr(seen)


def test_a_reset_lesson_starts_over(monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", "/x/learn/00-start-here.ipynb")
    predict("mails", ["none", "one"]).choose("none")
    quiz(ASKED).choose(an_option(ASKED, correct=False))
    observe("mails", "one")
    progress.note("reset", "another-lesson")
    assert predict("mails", ["none", "one"]).chosen == "none"
    progress.note("reset", "start-here", lesson="00-start-here")
    assert predict("mails", ["none", "one"]).chosen is None
    assert quiz(ASKED).chosen is None
    assert "It is saved" in predict("mails", ["none", "one"]).choose("one")


def test_an_earlier_prediction_is_shown_again_and_a_removed_option_is_not():
    predict("mails", ["none", "one"]).choose("one")
    assert predict("mails", ["none", "one"]).chosen == "one"
    assert predict("mails", ["none", "two"]).chosen is None


def test_what_a_learner_cannot_choose_is_refused_and_markup_is_shown_as_text():
    asked = predict("x", ["<b>bold</b>", "b"])
    assert "&lt;b&gt;bold" in asked.choose("<b>bold</b>")
    assert "<b>bold" not in observe("x", "<b>bold</b>")._repr_html_()


def an_option(id: str, *, correct: bool) -> str:
    """The text of a right or a wrong option, whatever its words are now."""
    options = question(id)["options"]
    return next(o["text"] for o in options if bool(o.get("correct")) is correct)


def test_an_answer_gets_its_feedback_and_is_noted():
    asked = quiz(ASKED)
    assert "✗ Not quite:" in asked.choose(an_option(ASKED, correct=False))
    assert "✓ Right:" in asked.choose(an_option(ASKED, correct=True))
    assert [e.facts["correct"] for e in progress.entries("answer")] == [False, True]
    with pytest.raises(ValueError, match="none of"):
        asked.choose("something else")


def test_an_answer_is_shown_again_with_its_feedback_and_is_not_noted_twice():
    quiz(ASKED).choose(an_option(ASKED, correct=True))
    again = quiz(ASKED)
    assert again.chosen == an_option(ASKED, correct=True)
    assert "✓ Right:" in again.children[-1].value
    assert len(progress.entries("answer")) == 1


def test_a_copy_that_is_not_run_says_how_to_answer():
    asked = quiz(ASKED)
    data = asked._repr_mimebundle_()
    for copy in (data["text/plain"], data["text/html"]):
        assert "Run this cell to answer." in copy
    assert asked.question in repr(asked)
    assert "Run this cell to predict." in repr(predict("x", ["a", "b"]))


def test_the_buttons_are_a_named_group_and_say_which_is_pressed():
    head = quiz(ASKED).children[0].value
    for word in ("role", "aria-label", "aria-pressed", "data-label"):
        assert word in head
    assert "Your prediction" in predict("x", ["a", "b"]).children[0].value


def test_a_question_that_does_not_exist_is_named():
    with pytest.raises(NoSuchQuestion) as caught:
        quiz("nothing")
    assert "nothing" in caught.value.title


def test_every_question_has_one_right_answer_and_feedback_for_each():
    assert len(questions()) >= 9
    for asked in questions().values():
        options = asked["options"]
        assert sum(bool(o.get("correct")) for o in options) == 1, asked["id"]
        assert all(o["feedback"].strip() for o in options)
        assert asked["question"].endswith(("?", ".")), asked["id"]


def test_a_torn_line_is_passed_over_with_a_warning_and_swallows_nothing():
    progress.note("lesson", "00-start-here", state="finished", lesson="00-start-here")
    with progress.file().open("ab") as out:
        out.write(b'{"at": 1, "kind": "pred')
    progress.note("prediction", "after", choice="x")
    with pytest.warns(UserWarning, match="skipped"):
        assert [e.id for e in progress.entries()] == ["00-start-here", "after"]


def test_many_writers_lose_nothing():
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: progress.note("answer", str(n), choice="x" * 500), range(100)))
    assert {e.id for e in progress.entries()} == {str(n) for n in range(100)}


def test_status_and_next_are_computed_from_the_evidence(capsys):
    assert progress.next_lesson() == "00-start-here"
    told = finish("00-start-here")
    assert "01-why-multi-app-workflows" in told
    assert progress.next_lesson() == "01-why-multi-app-workflows"
    assert cli.main(["status", "--json"]) == 0
    states = json.loads(capsys.readouterr().out)["lessons"]
    assert [s["state"] for s in states][:2] == ["finished", "not begun"]
    cli.main(["next"])
    assert capsys.readouterr().out.startswith("01-why")


def test_evidence_of_a_lesson_counts_after_it_got_another_number_or_was_split():
    progress.note("lesson", "07-when-a-remote-app-fails", state="finished")
    progress.note("lesson", "06-three-deployment-requirements", state="finished")
    states = {s.slug[3:]: s.state for s in progress.status()}
    assert states["when-a-remote-app-fails"] == "finished"
    assert states["reach-the-other-app"] == states["stores-and-manifests"] == "finished"
    assert states["change-running-workflows"] == "not begun"


def test_the_export_holds_no_text_of_the_learner():
    progress.note("explanation", "why", text="my secret thoughts", choice="a", path="/home/me")
    (row,) = progress.exported()
    assert set(row) == {"seconds", "kind", "id", "choice"}
    assert "secret" not in json.dumps(row)


def test_the_file_is_where_the_state_is():
    progress.note("reset", "x")
    assert progress.file().parent == paths.state()
