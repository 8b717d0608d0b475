"""A question with a row of buttons, usable by keyboard, readable in exports.

Toggle buttons, because JupyterLab takes the arrow keys away from radio buttons. The widget carries
its own static copy, so that an exported notebook shows the question and not an empty place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import ipywidgets

from labkit.errors import LabError

# ipywidgets 8.1 gives its buttons and boxes no ARIA attributes, and no way to set any. A style
# element may say what is done when it is loaded: that names the group, and mirrors the class by
# which a button looks pressed. Where a page forbids such handlers, the line below the buttons
# still says what is chosen.
_ACCESSIBLE = """
const group = this.closest('.lab-choice');
if (group) {
  group.setAttribute('role', 'group');
  group.setAttribute('aria-label', this.dataset.label);
  const mirror = () => group.querySelectorAll('.widget-toggle-button').forEach(
    b => b.setAttribute('aria-pressed', b.classList.contains('mod-active')));
  new MutationObserver(mirror).observe(
    group, {subtree: true, childList: true, attributes: true, attributeFilter: ['class']});
  mirror();
}"""
_STYLE = """
.lab-choice {padding-left:5px}
.lab-choice .widget-toggle-buttons {overflow:visible}
.lab-choice .widget-toggle-button {width:auto;height:auto;min-height:30px;white-space:normal;
 overflow-wrap:anywhere;text-align:left;line-height:1.35;padding:4px 12px;margin:3px 8px 3px 0;
 border:1px solid var(--jp-border-color1,currentColor)}
.lab-choice .widget-toggle-button.mod-active {font-weight:600;border:2px solid currentColor}
.lab-choice .widget-toggle-button.mod-active::before {content:"\\25cf\\a0" / ""}
.lab-choice .widget-toggle-button:focus-visible {outline:3px solid currentColor;outline-offset:1px}
.lab-choice p {margin:4px 0;line-height:1.45;color:var(--jp-content-font-color1,inherit)}
"""


def _head(question: str, label: str) -> str:
    """The question, and what makes a group of buttons of the box that this is put into."""
    asked = f"<p><b>{escape(question)}</b></p>" if question else ""
    named = f'data-label="{escape(question or label)}" onload="{escape(_ACCESSIBLE)}"'
    return f"<style {named}>{_STYLE}</style>{asked}"


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
        on_choice: gets each choice; returns the text to show, as HTML.
        question: shown above the buttons, where no text cell asks it.
        label: names the group of buttons for screen readers, where there is no question.
        unanswered: what a copy without a running kernel says in place of the buttons.
    """

    def __init__(
        self,
        options: Sequence[str],
        chosen: str | None,
        on_choice: Callable[[str], str],
        question: str = "",
        *,
        label: str = "Choose one",
        unanswered: str = "Run this cell to answer.",
    ) -> None:
        self.options, self.question = tuple(options), question
        self._on_choice, self._unanswered = on_choice, unanswered
        self._silent = False
        self._buttons = ipywidgets.ToggleButtons(options=self.options, value=chosen)
        self._line = ipywidgets.HTML()
        head = ipywidgets.HTML(_head(question, label))
        super().__init__([head, self._buttons, self._line])
        self.add_class("lab-choice")
        self._buttons.observe(self._pressed, "value")

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
            self._buttons.value = option  # comes back through _pressed
        else:
            self.say(self._said(option))
        return str(self._line.value)

    def press(self, option: str | None) -> None:
        """Show an option as the chosen one; nobody is asked, and nothing is said."""
        self._silent = True
        try:
            self._buttons.value = option
        finally:
            self._silent = False

    def say(self, text: str) -> None:
        """Show a line of text (HTML), and have it read out."""
        self._line.value = f'<p role="status" aria-live="polite">{text}</p>'

    def _pressed(self, change: Any) -> None:
        if not self._silent:
            self.say(self._said(change["new"]))

    def _said(self, option: str) -> str:
        """What a choice is answered; JupyterLab shows no error that a click raises."""
        try:
            return self._on_choice(option)
        except LabError as problem:
            return escape(str(problem)).replace("\n", "<br>")

    def __repr__(self) -> str:
        asked = (self.question or "choose:") + " " + " | ".join(self.options)
        return f"{asked}\n({self._unanswered})"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        data = dict(super()._repr_mimebundle_(**kwargs))
        items = "".join(f"<li>{escape(o)}</li>" for o in self.options)
        asked = f"<p>{escape(self.question) or 'Choose one:'}</p><ul>{items}</ul>"
        data["text/html"] = f"{asked}<p><em>{escape(self._unanswered)}</em></p>"
        data["text/plain"] = repr(self)
        return data
