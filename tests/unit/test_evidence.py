"""What a learner did is kept, whatever happens to the file, the kernel or the machine."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from labkit import exercises, paths
from labkit.cli import __main__ as lab
from labkit.cli import progress as cli
from labkit.course import evidence, progress
from labkit.course.predictions import finish, observe, predict
from labkit.course.quizzes import NoSuchQuestion, question, questions, quiz
from labkit.errors import LabError
from labkit.exercises import checking

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


GOOD = b'{"at": 1.5, "kind": "answer", "id": "good", "choice": "x"}'
ODD_LINES = {
    "nested too deeply": b"[" * 100_000,
    "nested too deeply in a fact": b'{"at": 1, "kind": "answer", "id": "x", "y": ' + b"[" * 10**5,
    "not a number": b'{"at": NaN, "kind": "answer", "id": "x"}',
    "endless": b'{"at": 1e999, "kind": "answer", "id": "x"}',
    "larger than a float": b'{"at": 1' + b"0" * 400 + b', "kind": "answer", "id": "x"}',
    "more digits than Python reads": b'{"at": ' + b"1" * 9999 + b', "kind": "answer", "id": "x"}',
    "a fact that JSON lacks": b'{"at": 1, "kind": "answer", "id": "x", "choice": -Infinity}',
    "invalid UTF-8": b'{"at": 1, "kind": "answer", "id": "\xff\xfe"}',
    "half a character": b'{"at": 1, "kind": "answer", "id": "x", "choice": "\\ud800"}',
    "half a character, encoded": b'{"at": 1, "kind": "answer", "id": "\xed\xa0\x80"}',
    "NUL": b"\0" * 40,
    "NUL in a text": b'{"at": 1, "kind": "answer", "id": "a\0b"}',
    "a list": b"[1, 2]",
    "a number": b"7",
    "a text": b'"at"',
    "an ID of another type": b'{"at": 1, "kind": "answer", "id": ["x"]}',
    "a kind of another type": b'{"at": 1, "kind": {}, "id": "x"}',
    "a time of another type": b'{"at": "1", "kind": "answer", "id": "x"}',
    "a time that is a truth": b'{"at": true, "kind": "answer", "id": "x"}',
    "two objects": b'{"at": 1, "kind": "answer", "id": "x"} {}',
    "torn": b'{"at": 1, "kind": "pred',
    "longer than any line of ours": b'{"at": 1, "kind": "answer", "id": "x", "y": "'
    + b"z" * evidence.LONGEST
    + b'"}',
    "UTF-16": '{"at": 1, "kind": "answer", "id": "x"}'.encode("utf-16-le"),
}


def put(data: bytes) -> None:
    progress.file().write_bytes(data)


@pytest.mark.parametrize("line", ODD_LINES.values(), ids=ODD_LINES)
def test_any_line_is_skipped_and_what_stands_around_it_is_read(line, capsys):
    put(GOOD + b"\n" + line + b"\n" + GOOD + b"\n")
    with pytest.warns(UserWarning, match="1 line skipped, not readable; the first is line 2"):
        assert [e.id for e in progress.entries()] == ["good", "good"]
    assert evidence.counted() == (2, 1)
    assert [e.id for e in progress.entries(id="good")] == ["good", "good"]
    predict("good", ["x", "y"]).choose("x")
    assert observe("good", "x").verdict == "✓ as you predicted"
    assert lab.main(["status"]) == lab.main(["next"]) == 0
    shown = capsys.readouterr()
    assert shown.err.count("1 line skipped") == 2
    assert "Warning" not in shown.err
    with pytest.warns(UserWarning, match="skipped"):
        assert json.dumps(progress.exported(), allow_nan=False)


@pytest.mark.parametrize(
    "line",
    [
        GOOD[:-2] + " \u2028\u2029\x85 ünïcode 日本".encode() + GOOD[-2:],
        b"\xef\xbb\xbf" + GOOD,
        b"  " + GOOD + b" \r",
        GOOD.replace(b"good", b"g\\u006f\\u006fd"),
        GOOD.replace(b", ", b",").replace(b": ", b":"),
        GOOD + b"\r" + b" ",
    ],
    ids=["line separators", "byte order mark", "spaces", "escaped", "no spaces", "CR"],
)
def test_what_json_and_editors_allow_is_read(line):
    put(line + b"\n")
    assert [e.id for e in progress.entries()] == ["good"]
    assert progress.newest("answer", "good").facts["choice"].startswith("x")


def test_what_is_noted_can_be_read_whatever_it_holds():
    for value in ("\ud800", "x" * 2 * evidence.LONGEST, "\0\n\r\u2028", float("nan"), object()):
        progress.note("answer", "odd", choice=value)
    assert len(progress.entries("answer", "odd")) == 5
    assert evidence.counted() == (5, 0)


def a_folder(file):
    file.mkdir()


def a_pipe(file):
    os.mkfifo(file)


def a_link_to_nowhere(file):
    file.symlink_to(file.parent / "missing" / "progress.jsonl")


def a_link_to_itself(file):
    file.symlink_to(file)


def a_device(file):
    file.symlink_to("/dev/null")


def a_socket(file):
    with socket.socket(socket.AF_UNIX) as server:
        parent = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            server.bind(f"/proc/self/fd/{parent}/{file.name}")  # a path of a test is too long
        finally:
            os.close(parent)


PLACES = [a_socket, a_folder, a_pipe, a_link_to_nowhere, a_link_to_itself, a_device]


@pytest.mark.parametrize("place", PLACES)
def test_what_stands_in_the_place_of_the_file_is_named_and_never_waited_for(place, capsys):
    place(progress.file())
    for use in (
        lambda: predict("mails", ["none", "one"]),
        lambda: observe("mails", "one"),
        lambda: finish("00-start-here"),
        lambda: quiz(ASKED),
    ):
        with pytest.raises(LabError) as caught:
            use()
        assert caught.value.code.startswith("evidence-not-")
        assert caught.value.fix
    for verb in ("status", "next"):
        assert lab.main([verb]) == 1
        assert "evidence-not-readable: your evidence cannot be read" in capsys.readouterr().err


def test_a_file_that_this_user_may_not_read_is_named(monkeypatch):
    progress.note("answer", "x")

    def refused(path, *_, **__):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(evidence.os, "open", refused)
    with pytest.raises(evidence.EvidenceNotReadable) as caught:
        progress.entries()
    assert caught.value.found == "Permission denied"
    assert "a file of your own" in caught.value.fix
    with pytest.raises(evidence.EvidenceNotKept):
        progress.note("answer", "x")


def test_a_link_to_a_file_is_followed_and_its_target_keeps_its_mode(tmp_path):
    target = tmp_path / "elsewhere.jsonl"
    target.write_bytes(GOOD + b"\n")
    target.chmod(0o644)
    progress.file().symlink_to(target)
    progress.note("answer", "good", choice="y")
    assert len(progress.entries("answer", "good")) == 2
    assert target.stat().st_mode & 0o777 == 0o644


def test_the_file_is_for_its_user_only_also_when_it_was_made_otherwise():
    progress.note("answer", "x")
    assert progress.file().stat().st_mode & 0o777 == 0o600
    progress.file().chmod(0o644)
    progress.entries()
    assert progress.file().stat().st_mode & 0o777 == 0o600


def full_disk(monkeypatch):
    write = os.write

    def partly(descriptor, data):
        if len(data) > 9:
            return write(descriptor, data[:9])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(evidence.os, "write", partly)


def test_a_full_disk_is_said_in_cells_and_leaves_no_torn_line(monkeypatch):
    progress.note("prediction", "mails", choice="one", before=True)
    asked, before = predict("mails", ["none", "one"]), progress.file().read_bytes()
    with monkeypatch.context() as patched:
        full_disk(patched)
        for use in (lambda: observe("mails", "one"), lambda: finish("00-start-here")):
            with pytest.raises(evidence.EvidenceNotKept, match="the disk is full") as caught:
                use()
            assert "free some space" in caught.value.fix
        for question in (asked, quiz(ASKED)):
            said = question.choose(question.options[0])
            assert "evidence-not-kept" in said, "an error of a click is shown nowhere else"
    assert progress.file().read_bytes() == before
    assert observe("mails", "one").verdict == "✓ as you predicted"


def test_a_verdict_that_cannot_be_kept_is_shown_all_the_same(monkeypatch):
    full_disk(monkeypatch)
    verdict = checking.check("move-the-mail")
    assert verdict.outcome == "unknown"
    assert "This verdict is not kept: the disk is full" in verdict.notice


def test_a_cell_reads_the_end_of_the_file_only(monkeypatch):
    line = b'{"at": 1, "kind": "answer", "id": "other", "choice": "x"}\n'
    put(line * (40 * evidence.BLOCK // len(line)))
    read: list[int] = []
    pread = os.pread

    def counted(descriptor, size, offset):
        read.append(size)
        return pread(descriptor, size, offset)

    monkeypatch.setattr(evidence.os, "pread", counted)
    progress.note("prediction", "mails", choice="one", before=True)
    for _ in range(2):
        read.clear()
        assert observe("mails", "one").predicted == "one"
        assert sum(read) < 2 * evidence.BLOCK


@pytest.mark.parametrize("size", [1, 7, 64])
def test_lines_are_whole_wherever_a_block_ends(monkeypatch, size):
    monkeypatch.setattr(evidence, "BLOCK", size)
    put(b"".join(GOOD.replace(b"x", str(n).encode()) + b"\n" for n in range(20)) + GOOD[:9])
    assert [e.facts["choice"] for e in progress.entries(id="good")] == [str(n) for n in range(20)]


def test_evidence_of_before_the_prediction_was_noted_with_the_observation_still_counts():
    for kind, facts in [
        ("prediction", {"choice": "none"}),
        ("prediction", {"choice": "one"}),
        ("observation", {"observed": "two"}),
        ("prediction", {"choice": "two"}),
    ]:
        progress.note(kind, "mails", **facts)
    assert observe("mails", "two").predicted == "one"
    assert observe("mails", "two").predicted == "one"


STATUS = """
import sys
from labkit.cli import __main__ as lab
import labkit.cli.progress
lab.main(["status"])
lab.main(["next"])
heavy = {"grpc", "dapr", "ipywidgets", "IPython", "httpx", "jupyterlab", "psutil", "asyncio"}
sys.exit(f"loaded: {sorted(heavy & set(sys.modules))}" if heavy & set(sys.modules) else 0)
"""


def test_the_table_of_what_was_done_loads_nothing_of_a_lab():
    done = subprocess.run([sys.executable, "-c", STATUS], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_names_of_exercises_are_loaded_when_they_are_used():
    assert set(exercises.__all__) <= {*dir(exercises), *sum(exercises._LATER.values(), ())}
    assert all(callable(getattr(exercises, n)) for n in exercises.__all__ if n != "KINDS")
    with pytest.raises(AttributeError, match="nothing"):
        _ = exercises.nothing
