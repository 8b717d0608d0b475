"""One run, four views: swimlane, trace, metrics and logs side by side, each with its words."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any, Protocol

CAN_TELL = {
    "swimlane": "what the workflow knows: every step, also those that have not ended",
    "trace": "who did the work and how long it took, once it has ended",
    "metrics": "how often, over all instances; no instance IDs",
    "logs": "what the programs say about it",
}
"""What each view is for, in one line."""


_GRID = "display:grid;gap:12px;grid-template-columns:repeat(auto-fit,minmax(min(100%,620px),1fr))"


class Shown(Protocol):
    """A view: a picture or a table, and the same in words."""

    @property
    def html(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def summary(self) -> str: ...


class Views:
    """The views of one run.

    Args:
        views: by name. A text in place of a view says why it is not there.
        mark: said above all of them, such as that they are recorded; "" for nothing.
    """

    def __init__(self, views: Mapping[str, Shown | str], mark: str = "") -> None:
        self.views, self.mark = dict(views), mark

    @property
    def summary(self) -> str:
        """All views in words that are the same in every run of its kind."""
        return self._said("summary")

    @property
    def text(self) -> str:
        """All views in words, with their times."""
        return self._said("text")

    def _said(self, form: str) -> str:
        parts = [self.mark] if self.mark else []
        for name, view in self.views.items():
            words = view if isinstance(view, str) else getattr(view, form)
            parts.append(f"{name}: {CAN_TELL[name]}\n" + _indented(words))
        return "\n".join(parts)

    @property
    def html(self) -> str:
        """All views, two beside each other where the page is wide enough."""
        mark = f"<p><strong>{escape(self.mark)}</strong></p>" if self.mark else ""
        parts = "".join(_section(name, view) for name, view in self.views.items())
        return f'{mark}<div style="{_GRID}">{parts}</div>'

    def __repr__(self) -> str:
        return self.summary

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.summary}


def _section(name: str, view: Shown | str) -> str:
    shown = escape(view) if isinstance(view, str) else view.html
    return (
        f'<section style="min-width:0;overflow-x:auto"><p><strong>{escape(name)}</strong>: '
        f"{escape(CAN_TELL[name])}</p>{shown}</section>"
    )


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
