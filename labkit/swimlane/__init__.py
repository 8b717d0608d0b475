"""A workflow run as a picture: one lane per app ID, with an equal text table.

A static SVG in ``text/html``: right in JupyterLab, in light and dark theme, offline and in
exports. Same input, same bytes. It draws records and has never heard of a lab.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from labkit.history import RunHistory
from labkit.swimlane.layout import DownTime, during, laid_out
from labkit.swimlane.svg import drawn
from labkit.swimlane.text import summary, table

__all__ = ["DownTime", "Swimlane"]


class Swimlane:
    """The picture of one run.

    Args:
        history: of the run and its children.
        down: times in which a part of an app did not run (records with ``app_id``, ``part``,
            ``start`` and ``end`` in seconds since the epoch; ``end`` None means still down).
    """

    def __init__(self, history: RunHistory, down: Iterable[DownTime] = ()) -> None:
        self.history = history
        self.down: Sequence[DownTime] = during(history, down)

    @property
    def svg(self) -> str:
        """The picture, as SVG."""
        return drawn(laid_out(self.history, self.down), self.text)

    @property
    def text(self) -> str:
        """The same as a table with times, for reading and for screen readers."""
        return table(self.history, self.down)

    @property
    def summary(self) -> str:
        """What happened, in an order and in words that are the same in every run."""
        return summary(self.history)

    def __repr__(self) -> str:
        return self.summary

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self.svg, "text/plain": self.summary}
