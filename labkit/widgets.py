"""A question with a row of buttons, usable by keyboard, readable in exports.

Toggle buttons, because JupyterLab takes the arrow keys away from radio buttons. The widget carries
its own static copy, so that an exported notebook shows the question and not an empty place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import ipywidgets

STYLE = """<style>
.lab-choice .widget-toggle-buttons .widget-toggle-button {width:auto;height:auto;min-height:30px;
 white-space:normal;text-align:left;line-height:1.35;padding:4px 12px;margin:2px 6px 2px 0}
.lab-choice .widget-toggle-button:focus-visible {outline:3px solid currentColor;outline-offset:1px}
.lab-choice p {margin:4px 0;color:var(--jp-content-font-color1,inherit)}
</style>"""


class Picture(ipywidgets.HTML):  # type: ignore[misc]
    """A picture that can change while it is shown, with a static copy for exports.

    Args:
        summary: returns the words that stand for it in plain text.
    """

    def __init__(self, value: str, summary: Callable[[], str]) -> None:
        self._summary = summary
        super().__init__(value)

    def __repr__(self) -> str:
        return self._summary()

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        data = dict(super()._repr_mimebundle_(**kwargs))
        data["text/html"] = self.value
        data["text/plain"] = repr(self)
        return data


class Choice(ipywidgets.VBox):  # type: ignore[misc]
    """Buttons for the options, and a line that repeats what was chosen.

    Args:
        options: what can be chosen.
        chosen: the earlier choice, or None.
        on_choice: is told each choice; returns the text to show.
        question: shown above the buttons, where no text cell asks it.
    """

    def __init__(
        self,
        options: Sequence[str],
        chosen: str | None,
        on_choice: Callable[[str], str],
        question: str = "",
    ) -> None:
        self.options, self.question = tuple(options), question
        self._on_choice = on_choice
        self._buttons = ipywidgets.ToggleButtons(options=self.options, value=chosen)
        self._line = ipywidgets.HTML()
        head = f"<p><b>{escape(question)}</b></p>" if question else ""
        super().__init__([ipywidgets.HTML(STYLE + head), self._buttons, self._line])
        self.add_class("lab-choice")
        self._buttons.observe(lambda change: self.choose(change["new"]), "value")

    @property
    def chosen(self) -> str | None:
        """What is chosen now."""
        return self._buttons.value  # type: ignore[no-any-return]

    def choose(self, option: str) -> str:
        """Choose as a click does; return the text that is shown.

        Raises:
            ValueError: there is no such option.
        """
        if option not in self.options:
            raise ValueError(f"{option!r} is none of {self.options}")
        if self._buttons.value != option:
            self._buttons.value = option  # comes back here through the observer
        else:
            self.say(self._on_choice(option))
        return str(self._line.value)

    def say(self, text: str) -> None:
        """Show a line of text, and have it read out."""
        self._line.value = f'<p role="status" aria-live="polite">{text}</p>'

    def __repr__(self) -> str:
        return (self.question or "choose:") + " " + " | ".join(self.options)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        data = dict(super()._repr_mimebundle_(**kwargs))
        items = "".join(f"<li>{escape(o)}</li>" for o in self.options)
        data["text/html"] = f"<p>{escape(self.question) or 'Choose one:'}</p><ul>{items}</ul>"
        data["text/plain"] = repr(self)
        return data
