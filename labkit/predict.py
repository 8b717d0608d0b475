"""Predictions: saved before a first run, shown beside what was observed after it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from labkit import progress
from labkit.widgets import Choice


def predict(id: str, options: Sequence[str]) -> Choice:
    """Ask for a prediction; it is saved at once, and can be changed until you run the cell.

    Args:
        id: joins the prediction with its :func:`observe`.
        options: what can be predicted.
    """
    earlier = progress.newest("prediction", id)
    chosen = earlier.facts.get("choice") if earlier else None
    chosen = chosen if chosen in options else None

    def save(choice: str) -> str:
        progress.note("prediction", id, choice=choice, lesson=progress.current_lesson())
        return f"Your prediction: <b>{escape(choice)}</b>. It is saved. Now run the next cell."

    asked = Choice(options, chosen, save)
    if chosen:
        asked.say(f"Your prediction: <b>{escape(chosen)}</b>. It was saved before.")
    return asked


class Observed:
    """What was observed, beside what was predicted."""

    def __init__(self, predicted: str | None, observed: str) -> None:
        self.predicted, self.observed = predicted, observed

    def __repr__(self) -> str:
        return f"predicted: {self.predicted or '(nothing saved)'}\nobserved:  {self.observed}"

    def _repr_html_(self) -> str:
        predicted = escape(self.predicted or "(nothing saved)")
        return (
            "<table><tr><th style='text-align:left'>You predicted</th>"
            f"<td style='text-align:left'>{predicted}</td></tr>"
            "<tr><th style='text-align:left'>You observed</th>"
            f"<td style='text-align:left'>{escape(self.observed)}</td></tr></table>"
        )


def observe(id: str, value: Any) -> Observed:
    """Show what was observed beside the prediction with the same id, and note it."""
    observed = str(value)
    progress.note("observation", id, observed=observed, lesson=progress.current_lesson())
    earlier = progress.newest("prediction", id)
    return Observed(earlier.facts.get("choice") if earlier else None, observed)


def finish(slug: str) -> str:
    """Note that a lesson is finished; return what comes next."""
    progress.note("lesson", slug, state="finished", lesson=slug)
    following = progress.following(slug)
    then = f"Next: {following}" if following else "It was the last one."
    return Line(f"Lesson {slug} is finished. {then}")


class Line(str):
    """A text that a notebook shows as it is."""

    def __repr__(self) -> str:
        return str(self)
