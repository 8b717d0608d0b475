"""A text that a notebook shows as it is: with its line breaks, and wrapped between words.

JupyterLab breaks plain text at any letter, and lets printed lines run out of sight.
"""

from __future__ import annotations

from html import escape

_WRAPPED = (
    "margin:0;font-size:var(--jp-code-font-size,inherit);white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere;"
    "color:var(--jp-content-font-color1,inherit)"
)

PRINTED_CSS = """\
/* What cells print: wrapped between words; JupyterLab breaks it at any letter. */
.jp-OutputArea .jp-OutputArea-output.jp-RenderedText pre {
  white-space: pre-wrap; word-break: normal; overflow-wrap: anywhere;
}
"""
"""For JupyterLab's ``custom.css``: no output of ours can say how printed text is shown."""


class Text(str):
    """A text that a notebook shows as it is."""

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return wrapped(str(self))


def wrapped(text: str) -> str:
    """Return a text as HTML that keeps line breaks and columns, and wraps between words."""
    return f'<pre style="{_WRAPPED}">{escape(text)}</pre>'
