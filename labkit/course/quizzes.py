"""Questions with feedback. They stand in ``authoring/quizzes``, not in the notebooks."""

from __future__ import annotations

from html import escape
from typing import Any

from labkit import paths
from labkit.course import coursefiles, progress
from labkit.errors import AuthoringError
from labkit.notebook.widgets import Choice


class NoSuchQuestion(AuthoringError):
    """A notebook asks for a question that does not exist."""

    code = "no-such-question"


def quiz(id: str) -> Choice:
    """Ask a question; each answer is noted and gets its feedback, and can be given again.

    The newest answer is shown when the cell runs again, until the lesson is reset.

    Raises:
        NoSuchQuestion: no quiz file has this id.
    """
    asked = question(id)
    feedback = {str(o["text"]): o for o in asked["options"]}

    def answer(choice: str) -> str:
        correct = bool(feedback[choice].get("correct"))
        progress.note(
            "answer", id, choice=choice, correct=correct, lesson=progress.current_lesson()
        )
        return _told(choice, feedback[choice])

    earlier = next((e for e in progress.latest(id) if e.kind == "answer"), None)
    given = str(earlier.facts.get("choice")) if earlier else None
    given = given if given in feedback else None
    shown = Choice(list(feedback), given, answer, asked["question"])
    if given:
        shown.say(_told(given, feedback[given]))
    return shown


def _told(choice: str, option: dict[str, Any]) -> str:
    """What is said to an answer: a sign, a word, and the feedback."""
    word = "✓ Right:" if option.get("correct") else "✗ Not quite:"
    return f"You chose <b>{escape(choice)}</b>. <b>{word}</b> {escape(option['feedback'])}"


def question(id: str) -> dict[str, Any]:
    """Return a question: ``question``, ``options`` with ``text``, ``feedback``, ``correct``."""
    known = questions()
    if id in known:
        return known[id]
    raise NoSuchQuestion(
        f"there is no question {id!r}",
        asked=f"quiz({id!r})",
        found=f"{len(known)} questions, none with this id",
        look_at="authoring/quizzes/",
        fix="add it to a file there, or correct the id",
    )


def questions() -> dict[str, dict[str, Any]]:
    """Return all questions by id."""
    found: dict[str, dict[str, Any]] = {}
    for file in sorted((paths.repo() / "authoring" / "quizzes").glob("*.yaml")):
        for entry in coursefiles.read(file) or []:
            found[str(entry["id"])] = entry
    return found
