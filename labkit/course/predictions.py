"""Predictions: saved before a first run, shown beside what was observed after it.

The prediction that counts is the last one before the result was first seen: a later choice does
not replace it. A reset of the lesson starts over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Protocol

from labkit.course import progress
from labkit.notebook.texts import Text
from labkit.notebook.widgets import Choice

Line = Text
NOTHING = "(nothing saved)"


def predict(id: str, options: Sequence[str]) -> Choice:
    """Ask for a prediction; it is saved at once, and can be changed until the result was seen.

    The question stands in the text cell right before.

    Args:
        id: joins the prediction with its :func:`observe`.
        options: what can be predicted.
    """

    def save(choice: str) -> str:
        known = _known(id)
        kept = known.kept
        if kept is None or not known.seen:
            _note("prediction", id, choice=choice, before=not known.seen)
        if not known.seen:
            return f"{_yours(choice)} It is saved. Now run the next cell."
        return _after(asked, kept.choice if kept else None, choice)

    kept = _known(id).kept
    chosen = kept.choice if kept and kept.choice in options else None
    asked = Choice(
        options, chosen, save, label="Your prediction", unanswered="Run this cell to predict."
    )
    if chosen and kept:
        late = "" if kept.before else " You chose it when you had seen the result."
        asked.say(f"{_yours(chosen)} It was saved before.{late}")
    return asked


def _after(asked: Choice, kept: str | None, choice: str) -> str:
    """What is said to a choice that was made when the result had been seen."""
    if kept is None:
        return f"{_yours(choice)} You had already seen the result; next time, predict first."
    if kept == choice:
        return f"{_yours(choice)} It was saved before you saw the result."
    if kept in asked.options:
        asked.press(kept)
    return (
        f"You have seen the result, so your first prediction is kept: <b>{escape(kept)}</b>."
        f" “{escape(choice)}” was not saved."
    )


def _yours(choice: str) -> str:
    return f"Your prediction: <b>{escape(choice)}</b>."


class Observed:
    """What was observed, beside what was predicted.

    Attributes:
        predicted: the prediction that counts; None when nothing was saved.
        observed: what was seen.
        late: whether the prediction was made after the result was seen.
        mark: "" for what was seen now; else what says that it was recorded.
    """

    def __init__(
        self, predicted: str | None, observed: str, late: bool = False, mark: str = ""
    ) -> None:
        self.predicted, self.observed, self.late, self.mark = predicted, observed, late, mark

    @property
    def verdict(self) -> str:
        """How the two compare, with a sign; empty when nothing was predicted."""
        if self.predicted is None:
            return ""
        if self.late:
            return "predicted when the result was known"
        return "✓ as you predicted" if self.predicted == self.observed else "✗ a surprise"

    @property
    def _shown(self) -> str:
        return f"{self.observed} ({self.mark})" if self.mark else self.observed

    def __repr__(self) -> str:
        lines = [f"predicted: {self.predicted or NOTHING}", f"observed:  {self._shown}"]
        return "\n".join([*lines, self.verdict] if self.verdict else lines)

    def _repr_html_(self) -> str:
        rows = [("You predicted", self.predicted or NOTHING), ("You observed", self._shown)]
        left = "text-align:left;vertical-align:top;white-space:normal"
        cells = "".join(
            f'<tr><th scope="row" style="{left};white-space:nowrap">{head}</th>'
            f'<td style="{left}">{escape(text)}</td></tr>'
            for head, text in rows
        )
        verdict = f"<p><b>{self.verdict}</b></p>" if self.verdict else ""
        return f'<table style="font-size:var(--jp-ui-font-size1,inherit)">{cells}</table>{verdict}'


class Source(Protocol):
    """Where an observation comes from: whether there was an answer, and the mark that it needs."""

    mark: str
    answered: bool


def observe(id: str, value: Any, source: Source | None = None) -> Observed:
    """Show what was observed beside the prediction with the same id, and note it.

    Args:
        source: what the value was concluded from, where that may be recorded or missing: its mark
            is shown and noted, and without an answer only the mark is.
    """
    kept, known = _known(id).kept, source is None or source.answered
    mark = source.mark if source is not None else ""  # a list that is empty is an answer, too
    observed, mark = (str(value), mark) if known else (mark, "")
    counts = {"predicted": kept.choice if kept else None, "late": bool(kept and not kept.before)}
    _note("observation", id, observed=observed, **counts, **({"mark": mark} if mark else {}))
    predicted, late = (kept.choice, not kept.before) if kept else (None, False)
    return Observed(predicted, observed, late, mark)


def finish(slug: str) -> str:
    """Note that a lesson is finished; return what comes next."""
    progress.note("lesson", slug, state="finished", lesson=slug)
    following = progress.following(slug)
    then = f"Next: {following}" if following else "It was the last one."
    return Text(f"Lesson {slug} is finished. {then}")


@dataclass(frozen=True)
class _Kept:
    choice: str
    before: bool
    """Whether it was made before the result was seen."""


@dataclass(frozen=True)
class _Known:
    kept: _Kept | None
    seen: bool
    """Whether the result was seen."""


def _known(id: str) -> _Known:
    """The prediction that counts: the last before the first observation, else the first after."""
    told = _back_to_what_says_all(id)
    if told and "predicted" in told[0].facts and told[0].facts["predicted"] is not None:
        return _Known(_Kept(str(told[0].facts["predicted"]), not told[0].facts.get("late")), True)
    first = next((n for n, e in enumerate(told) if e.kind == "observation"), len(told))
    before = [e for e in told[:first] if e.kind == "prediction"]
    after = [e for e in told[first:] if e.kind == "prediction"]
    counts = [*before[-1:], *after[:1]]
    kept = _Kept(str(counts[0].facts.get("choice")), bool(before)) if counts else None
    return _Known(kept, first < len(told))


def _back_to_what_says_all(id: str) -> list[progress.Entry]:
    """The evidence with an ID, oldest first, from the newest entry that makes older ones needless.

    That is an observation, which holds the prediction that counted, or a prediction that was made
    when nothing had been observed.
    """
    told: list[progress.Entry] = []
    for entry in progress.latest(id):
        told.append(entry)
        if "predicted" in entry.facts or entry.facts.get("before") is True:
            break
    return told[::-1]


def _note(kind: str, id: str, **facts: Any) -> None:
    progress.note(kind, id, **facts, lesson=progress.current_lesson())
