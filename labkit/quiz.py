"""Questions with feedback. They stand in ``authoring/quizzes``, not in the notebooks."""

from __future__ import annotations

from html import escape
from typing import Any

import yaml

from labkit import paths, progress
from labkit.errors import AuthoringError
from labkit.widgets import Choice


class NoSuchQuestion(AuthoringError):
    """A notebook asks for a question that does not exist."""

    code = "no-such-question"


def quiz(id: str) -> Choice:
    """Ask a question; each answer is noted and gets its feedback, and can be given again.

    Raises:
        NoSuchQuestion: no quiz file has this id.
    """
    asked = question(id)
    feedback = {o["text"]: o for o in asked["options"]}

    def answer(choice: str) -> str:
        told = feedback[choice]
        correct = bool(told.get("correct"))
        progress.note(
            "answer", id, choice=choice, correct=correct, lesson=progress.current_lesson()
        )
        word = "Right" if correct else "Not yet"
        return f"You chose <b>{escape(choice)}</b>. {word}: {escape(told['feedback'])}"

    return Choice(list(feedback), None, answer, asked["question"])


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
        for entry in yaml.safe_load(file.read_text("utf-8")) or []:
            found[str(entry["id"])] = entry
    return found
