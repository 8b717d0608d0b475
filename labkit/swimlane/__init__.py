"""A workflow run as a picture: one lane per app ID, with an equal text table.

A static SVG in ``text/html``: right in JupyterLab, in light and dark theme, offline and in
exports. Same input, same bytes. It draws records and has never heard of a lab.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from labkit.history import Cut, RunHistory
from labkit.swimlane.account import Account, DownTime
from labkit.swimlane.layout import laid_out
from labkit.swimlane.style import scrolling
from labkit.swimlane.svg import drawn
from labkit.swimlane.text import summary, table

__all__ = ["DownTime", "Swimlane"]


class Swimlane:
    """The picture of one run.

    Args:
        history: of the run and its children.
        down: times in which a part of an app could not work (records with ``app_id``, ``part``,
            ``start`` and ``end`` in seconds since the epoch; ``end`` None means still down).
        cuts: runs of activities that were cut off, as :func:`labkit.history.cuts` finds them.
        now: when the history was read, in seconds since the epoch; the picture of a run that has
            not ended goes up to there.
    """

    def __init__(
        self,
        history: RunHistory,
        down: Iterable[DownTime] = (),
        cuts: Iterable[Cut] = (),
        now: float | None = None,
    ) -> None:
        self.history = history
        self._account = Account(history, down, cuts, now)

    @property
    def svg(self) -> str:
        """The picture, as SVG."""
        return drawn(laid_out(self._account), self.text)

    @property
    def html(self) -> str:
        """The picture in a frame that scrolls sideways where the page is narrow."""
        return scrolling(self.svg, "swimlane of the run")

    @property
    def text(self) -> str:
        """The same as a table with times, for reading and for screen readers."""
        return table(self._account)

    @property
    def summary(self) -> str:
        """What happened, in an order and in words that are the same in every run."""
        return summary(self._account)

    def __repr__(self) -> str:
        return self.summary

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.summary}
